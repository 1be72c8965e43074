//! `image`: the default image for jobs, made on this machine without a registry.

use anyhow::Result;
use workshop::{Tree, image, terraform};

pub(crate) fn run(tree: &Tree, arguments: &[String]) -> Result<()> {
    let tag = arguments.first().map_or(image::DEFAULT_TAG, String::as_str);
    crate::needs::docker(tree)?;
    let terraform = terraform::find_or_fetch(tree)?;
    image::build(tag, &[&terraform])?;
    eprintln!("built {tag}");
    Ok(())
}
