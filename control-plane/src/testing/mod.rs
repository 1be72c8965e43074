//! What the tests of all slices share: the whole control plane in this process, behind its real
//! router, on a database of `testkit`. Builders make what a test needs and is not about.
//!
//! ```ignore
//! testkit::both_databases! { crate::schema::MIGRATOR;
//!     async fn a_reader_can_not_delete(db: Db) {
//!         let app = TestApp::new(db);
//!         let team = app.team().await;
//!         let answer = app.delete(format!("/api/v2/workspaces/{}", team.workspace.id))
//!             .by(&team.reader).await;
//!         assert_eq!(answer.status, 403);
//!     }
//! }
//! ```

mod app;
mod call;
mod flaky;
mod tenants;

pub(crate) use app::TestApp;
pub(crate) use call::{Answer, Call};
pub(crate) use flaky::{Flaky, Switches};
pub(crate) use tenants::{Team, TestRun, TestUser};
