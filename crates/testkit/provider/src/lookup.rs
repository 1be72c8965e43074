//! The data sources: `lookup` tells which objects of a type exist, `render` writes a file while the
//! plan is made.

use std::time::Duration;

use rmpv::Value as Wire;
use tf_provider::schema::{AttributeConstraint, Schema};
use tf_provider::value::ValueEmpty;
use tf_provider::{DataSource, Diagnostics};

use crate::kind::{Attribute, block, number, optional, required, text, texts};
use crate::provider::Shared;
use crate::value::{get_number, get_text, set};

pub struct Lookup {
    pub settings: Shared,
}

#[async_trait::async_trait]
impl DataSource for Lookup {
    type State<'a> = Wire;
    type ProviderMetaState<'a> = ValueEmpty;

    fn schema(&self, _: &mut Diagnostics) -> Option<Schema> {
        let constraint = AttributeConstraint::Computed;
        let ids = Attribute {
            constraint,
            ..optional("ids", texts())
        };
        Some(Schema {
            version: 0,
            block: block("lookup", &[required("kind", text()), ids]),
        })
    }

    async fn validate<'a>(&self, _: &mut Diagnostics, _: Wire) -> Option<()> {
        Some(())
    }

    async fn read<'a>(
        &self,
        problems: &mut Diagnostics,
        config: Wire,
        _: ValueEmpty,
    ) -> Option<Wire> {
        let cloud = self
            .settings
            .read()
            .expect("no thread panics while it writes")
            .cloud
            .clone();
        match cloud.list(get_text(&config, "kind").unwrap_or_default()) {
            Ok(ids) => {
                let mut state = config;
                set(
                    &mut state,
                    "ids",
                    Wire::Array(ids.into_iter().map(Wire::from).collect()),
                );
                Some(state)
            }
            Err(error) => {
                problems.root_error_short(format!("the objects can't be listed: {error}"));
                None
            }
        }
    }
}

pub struct Render;

#[async_trait::async_trait]
impl DataSource for Render {
    type State<'a> = Wire;
    type ProviderMetaState<'a> = ValueEmpty;

    fn schema(&self, _: &mut Diagnostics) -> Option<Schema> {
        let attributes = [
            required("path", text()),
            required("content", text()),
            optional("delay_ms", number()),
        ];
        Some(Schema {
            version: 0,
            block: block("render", &attributes),
        })
    }

    async fn validate<'a>(&self, _: &mut Diagnostics, _: Wire) -> Option<()> {
        Some(())
    }

    async fn read<'a>(
        &self,
        problems: &mut Diagnostics,
        config: Wire,
        _: ValueEmpty,
    ) -> Option<Wire> {
        let delay = Duration::from_millis(get_number(&config, "delay_ms").unwrap_or(0));
        tokio::time::sleep(delay).await;
        let path = get_text(&config, "path").unwrap_or_default();
        match std::fs::write(path, get_text(&config, "content").unwrap_or_default()) {
            Ok(()) => Some(config),
            Err(error) => {
                problems.root_error_short(format!("{path} can't be written: {error}"));
                None
            }
        }
    }
}
