//! Control plane ⇄ runner: the messages and the service, generated from
//! `proto/terrane/runner/v1/runner.proto`, and the version they speak. No logic, no I/O.

use std::marker::PhantomData;

use tonic::codec::{BufferSettings, Codec};
use tonic_prost::ProstCodec;

/// The generated contract.
#[expect(clippy::all, clippy::allow_attributes, reason = "generated code")]
pub mod v1 {
    tonic::include_proto!("terrane.runner.v1");
}

/// The protocol version this build speaks best.
pub const VERSION: u32 = 1;
/// The oldest protocol version this build still speaks.
pub const OLDEST_VERSION: u32 = 1;
/// ALPN of the QUIC framing; versions how streams are used, not what is said on them.
pub const ALPN_QUIC: &[u8] = b"terrane-runner/1";
/// ALPN of the TCP fallback.
pub const ALPN_TCP: &[u8] = b"h2";

/// What a runner may know beyond the first version of the protocol, as it says in its Hello. Work
/// that needs a feature is never offered to a runner that doesn't name it.
pub mod features {
    /// Fetches that are for no run: jobs without run, workspace and environment.
    pub const FETCH_OF_NO_RUN: &str = "fetch-of-no-run";
    /// All that this build knows.
    pub const ALL: &[&str] = &[FETCH_OF_NO_RUN];
}

/// At most this much log in one chunk.
pub const MAX_LOG_CHUNK: usize = 64 * 1024;
/// At most this much of an artefact in one chunk.
pub const MAX_DATA_CHUNK: usize = 256 * 1024;
/// At most this much in one message, either way.
pub const MAX_MESSAGE: usize = 8 * 1024 * 1024;

/// tonic allocates this much for each open call, both ways. Its own default is 8 KiB, which an idle
/// runner's lease stream would hold for ever.
const CALL_BUFFER: usize = 512;
const YIELD_AT: usize = 32 * 1024;

/// The protobuf codec with small buffers per call.
#[derive(Debug, Clone)]
pub struct SizedCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for SizedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for SizedCodec<T, U>
where
    T: prost::Message + Send + 'static,
    U: prost::Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = <ProstCodec<T, U> as Codec>::Encoder;
    type Decoder = <ProstCodec<T, U> as Codec>::Decoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(CALL_BUFFER, YIELD_AT))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::new(CALL_BUFFER, YIELD_AT))
    }
}
