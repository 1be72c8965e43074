//! The generated types by name.

use prost::{DecodeError, Message};
use protocol::v1;

macro_rules! types {
    ($($name:ident)*) => {
        /// Every message of the contract.
        pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];

        /// Decodes bytes as the named type and encodes the result.
        pub(crate) fn recode(name: &str, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
            match name {
                $(stringify!($name) => Ok(v1::$name::decode(bytes)?.encode_to_vec()),)*
                unknown => panic!("{unknown} has been removed from the contract"),
            }
        }
    };
}

types! {
    EnrollRequest RecoverRequest RenewRequest Identity
    HelloRequest RunningJob Capabilities HelloResponse
    LeaseRequest LeaseEvent Offer Drain JobDirective
    AcknowledgeRequest AcknowledgeResponse HeartbeatRequest HeartbeatResponse
    Job ExecutionSettings FetchWork TerraformSettings Variable Credentials CredentialFile
    PlanWork ApplyWork
    ProgressRequest ProgressResponse
    LogOffsetRequest LogOffsetResponse LogChunk LogAck
    UploadHead UploadOffsetRequest UploadOffsetResponse UploadChunk UploadResponse
    DownloadRequest DownloadChunk
    CompleteRequest PlanSummary ApplySummary Unrecorded FetchResult CompleteResponse
    RelayRequest RelayChunk RenewCredentialsRequest RenewCredentialsResponse
}
