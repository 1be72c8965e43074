//! Journals that a supervisor sealed to the control plane's public key: what a runner brings after a
//! crash without having been able to read it itself.

use std::io;

use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;
use vault::sealed::open_with;

use super::error::StateError;
use crate::app::App;
use crate::context::Tenant;
use crate::objects::pipe;

/// Bytes read at a time.
const PIECE: usize = 64 * 1024;

/// The plaintext of a sealed state, as it is read. `id` is what the supervisor bound it to beside the
/// account (`RUN/JOB`). A reader gets an error, never a short text, when it was sealed to another
/// key, bound to something else, changed or cut.
///
/// # Errors
/// When the account has no journal key `key_id`, and the database's own.
pub async fn open_sealed_journal<S: AsyncRead + Send + Unpin + 'static>(
    app: &App,
    tenant: &Tenant,
    key_id: &str,
    id: &str,
    sealed: S,
) -> Result<impl AsyncRead + Send + Unpin + use<S>, StateError> {
    let mut conn = app.db.acquire().await?;
    let key = app
        .keys
        .journal_private_key(&mut conn, tenant, key_id)
        .await?;
    drop(conn);
    let (account, id) = (tenant.account().clone(), id.to_owned());
    let sealed = ReaderStream::with_capacity(sealed, PIECE);
    let plain = pipe::through(sealed, move |sealed, out| {
        let context = vault::Context {
            account: account.as_str(),
            kind: step::SEAL_KIND,
            id: &id,
        };
        let opened = open_with(&key, &context, sealed, out);
        opened.map(|_| ()).map_err(|error| {
            if let vault::Error::Io { source } = error {
                source
            } else {
                io::Error::new(io::ErrorKind::InvalidData, error)
            }
        })
    });
    Ok(plain.into_reader())
}
