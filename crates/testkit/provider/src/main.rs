//! A Terraform provider whose cloud is a directory.
//!
//! One binary under two names: as `sandbox` it has objects that can be slow, big or failing on
//! demand; as `aws` it takes the attributes of a handful of well-known types, so that unchanged
//! configurations plan and apply without a network. Every object is a JSON file
//! `ROOT/TYPE/ID.json`: editing one makes drift, deleting one makes it disappear.
//!
//! Values stay MessagePack throughout: the schemas are data, so there are no structs to decode into.

mod aws;
mod cloud;
mod kind;
mod lookup;
mod provider;
mod resource;
mod sandbox;
mod value;

/// The name under which Terraform started this binary: `terraform-provider-NAME_vVERSION`.
fn personality() -> &'static str {
    let program = std::env::args().next().unwrap_or_default();
    if program.contains("terraform-provider-aws") {
        "aws"
    } else {
        "sandbox"
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = personality();
    tf_provider::serve(name, provider::Provider::new(name)).await?;
    Ok(())
}
