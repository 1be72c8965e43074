//! The generated clients over one channel type, whatever carries it.

/// An HTTP/2 session over QUIC or TCP. It never reconnects by itself: when its connection ends,
/// every call fails, and the owner connects anew.
pub type Channel = tonic::transport::Channel;

/// Calls on the runner service.
pub type RunnerClient = protocol::v1::runner_client::RunnerClient<Channel>;

/// Calls on the enrolment service.
pub type EnrollmentClient = protocol::v1::enrollment_client::EnrollmentClient<Channel>;

/// A client with the contract's message limits.
pub(super) fn runner_client(channel: Channel) -> RunnerClient {
    RunnerClient::new(channel)
        .max_decoding_message_size(protocol::MAX_MESSAGE)
        .max_encoding_message_size(protocol::MAX_MESSAGE)
}
