//! The two ways in which the main job is run: everything embedded, and everything outside.

use testkit::database::TestDb;
use testkit::{FakeCloud, LocalS3};
use tests::Options;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// SQLite, a directory of blobs, QUIC, processes.
    Embedded,
    /// PostgreSQL, blobs in S3, TCP, containers.
    Outside,
}

/// What a flavour needs beside the server, for as long as the test runs.
pub(crate) struct Around {
    _database: Option<TestDb>,
    _blobs: Option<LocalS3>,
    pub(crate) options: Options,
}

impl Around {
    /// How a runner of the test's own is started.
    pub(crate) fn runner(&self) -> &Options {
        &self.options
    }

    /// How a job reaches the provider's cloud.
    pub(crate) fn endpoint(&self, cloud: &FakeCloud) -> String {
        if self.options.executor == "docker" {
            cloud.endpoint_from_containers()
        } else {
            cloud.endpoint()
        }
    }
}

/// Makes of each named function two tests, one per flavour.
macro_rules! both_flavours {
    ($($name:ident,)*) => {
        $(
            mod $name {
                use crate::flavour::Flavour;

                #[tokio::test(flavor = "multi_thread")]
                async fn embedded() {
                    super::$name(Flavour::Embedded).await;
                }

                #[tokio::test(flavor = "multi_thread")]
                async fn outside() {
                    super::$name(Flavour::Outside).await;
                }
            }
        )*
    };
}

pub(crate) use both_flavours;

impl Flavour {
    /// Starts what is needed; nothing, after saying so, where the machine lacks something.
    pub(crate) async fn start(self) -> Option<Around> {
        if self == Self::Embedded {
            let options = Options::default();
            return Some(Around {
                _database: None,
                _blobs: None,
                options,
            });
        }
        if !testkit::programs::docker() {
            testkit::skip("a Docker daemon");
            return None;
        }
        let database = TestDb::empty_postgres().await?;
        let blobs = LocalS3::start().await;
        let variables = [
            ("TERRANE__BLOBS__KIND", "s3"),
            ("TERRANE__BLOBS__BUCKET", blobs.bucket()),
            ("TERRANE__BLOBS__REGION", blobs.region()),
            ("TERRANE__BLOBS__ENDPOINT", blobs.endpoint()),
            ("TERRANE__BLOBS__ACCESS_KEY_ID", blobs.access_key_id()),
            (
                "TERRANE__BLOBS__SECRET_ACCESS_KEY",
                blobs.secret_access_key(),
            ),
            ("TERRANE__BLOBS__ALLOW_HTTP", "true"),
            ("TERRANE_RUNNER_TRANSPORT", "tcp"),
        ];
        let environment = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let options = Options {
            executor: "docker",
            database: Some(database.url().to_owned()),
            environment: environment.collect(),
            ..Options::default()
        };
        let (_database, _blobs) = (Some(database), Some(blobs));
        Some(Around {
            _database,
            _blobs,
            options,
        })
    }
}
