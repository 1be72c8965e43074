//! `sandbox_object`: slow, big or failing on demand.

use crate::kind::{
    Computed, Kind, computed, flag, labels, number, optional, required, text, texts,
};

pub fn kinds() -> Vec<Kind> {
    let object = Kind::new("sandbox_object", "obj-").with([
        required("name", text()),
        optional("kind", text()).replaces(),
        optional("size", number()),
        optional("ratio", number()),
        optional("enabled", flag()),
        optional("secret", text()).sensitive(),
        optional("secrets", labels()).sensitive(),
        optional("labels", labels()),
        optional("items", texts()),
        computed("fingerprint", Computed::Random("fp-")),
        // How long create, update and destroy take.
        optional("delay_ms", number()),
        // create, update or destroy: that operation fails.
        optional("fail_on", text()),
        // Makes a state of any size out of few objects.
        optional("pad_kib", number()),
        computed("pad", Computed::Padding),
        // Must be there when the object is made: a file from the time of the plan.
        optional("source_file", text()),
        computed("source_content", Computed::FileContent),
    ]);
    vec![object.block(
        "rule",
        vec![required("port", number()), optional("cidr", text())],
    )]
}
