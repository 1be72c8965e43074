//! Words of required approvals.

use crate::text_enum::text_enum;

text_enum! {
    /// Which runs an approval rule is about.
    pub enum AppliesTo {
        All = "all",
        /// Runs that destroy everything, as `terraform destroy` makes them; not those that replace or
        /// remove single resources.
        Destroys = "destroys",
    }
}
