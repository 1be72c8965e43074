//! The provider: its configuration and its types.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use rmpv::Value as Wire;
use tf_provider::schema::Schema;
use tf_provider::value::ValueEmpty;
use tf_provider::{Diagnostics, DynamicDataSource, DynamicResource};

use crate::cloud::Cloud;
use crate::kind::{block, number, optional, text};
use crate::lookup::{Lookup, Render};
use crate::resource::Objects;
use crate::value::{get_number, get_text};
use crate::{aws, sandbox};

/// What the provider block says; shared with every resource.
pub struct Settings {
    pub cloud: Cloud,
    /// How long each change takes, unless the object says otherwise.
    pub latency_ms: u64,
}

pub type Shared = Arc<RwLock<Settings>>;

pub struct Provider {
    name: &'static str,
    settings: Shared,
}

impl Provider {
    pub fn new(name: &'static str) -> Self {
        let settings = Settings {
            cloud: Cloud::Directory(PathBuf::from("cloud")),
            latency_ms: 0,
        };
        Self {
            name,
            settings: Arc::new(RwLock::new(settings)),
        }
    }
}

#[async_trait::async_trait]
impl tf_provider::Provider for Provider {
    type Config<'a> = Wire;
    type MetaState<'a> = ValueEmpty;

    fn schema(&self, _: &mut Diagnostics) -> Option<Schema> {
        let attributes = [
            optional("root", text()),
            optional("endpoint", text()),
            optional("region", text()),
            optional("latency_ms", number()),
            optional("access_key", text()).sensitive(),
            optional("secret_key", text()).sensitive(),
            optional("profile", text()),
        ];
        Some(Schema {
            version: 0,
            block: block("A cloud in a directory.", &attributes),
        })
    }

    fn meta_schema(&self, _: &mut Diagnostics) -> Option<Schema> {
        Some(Schema {
            version: 0,
            block: Default::default(),
        })
    }

    async fn validate<'a>(&self, _: &mut Diagnostics, _: Wire) -> Option<()> {
        Some(())
    }

    async fn configure<'a>(&self, _: &mut Diagnostics, _: String, config: Wire) -> Option<()> {
        let environment = |name: &str| std::env::var(name).ok();
        let named = |name: &str, variable: &str| {
            get_text(&config, name)
                .map(str::to_owned)
                .or_else(|| environment(variable))
        };
        let mut settings = self
            .settings
            .write()
            .expect("no thread panics while it writes");
        if let Some(endpoint) = named("endpoint", "SANDBOX_ENDPOINT") {
            let address = endpoint.trim_start_matches("http://").trim_end_matches('/');
            settings.cloud = Cloud::Server(address.to_owned());
        } else if let Some(root) = named("root", "SANDBOX_ROOT") {
            settings.cloud = Cloud::Directory(PathBuf::from(root));
        }
        settings.latency_ms = get_number(&config, "latency_ms").unwrap_or(0);
        Some(())
    }

    fn get_resources(
        &self,
        _: &mut Diagnostics,
    ) -> Option<HashMap<String, Box<dyn DynamicResource>>> {
        let kinds = if self.name == "aws" {
            aws::kinds()
        } else {
            sandbox::kinds()
        };
        let resource = |kind: crate::kind::Kind| {
            let name = kind
                .type_name
                .trim_start_matches(self.name)
                .trim_start_matches('_');
            let name = name.to_owned();
            let objects = Objects {
                kind,
                settings: self.settings.clone(),
            };
            (name, Box::new(objects) as Box<dyn DynamicResource>)
        };
        Some(kinds.into_iter().map(resource).collect())
    }

    fn get_data_sources(
        &self,
        _: &mut Diagnostics,
    ) -> Option<HashMap<String, Box<dyn DynamicDataSource>>> {
        let lookup: Box<dyn DynamicDataSource> = Box::new(Lookup {
            settings: self.settings.clone(),
        });
        let render: Box<dyn DynamicDataSource> = Box::new(Render);
        Some(HashMap::from([
            ("lookup".to_owned(), lookup),
            ("render".to_owned(), render),
        ]))
    }
}
