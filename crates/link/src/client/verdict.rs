//! Reads the reason of an end out of what quinn, rustls and gRPC say about it.

use std::io;
use std::time::Duration;

use quinn::{ConnectionError, TransportErrorCode};
use tonic::Code;

use crate::close::{CloseCode, CloseReason};

/// The TLS alert "no application protocol" (RFC 7301).
const NO_ALPN: u8 = 120;

/// Why a QUIC connection ended.
pub(super) fn of_quic(error: &ConnectionError, idle: Duration) -> CloseReason {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            let code = close.error_code.into_inner();
            match CloseCode::from_code(code) {
                Some(known) => CloseReason::Gateway(known),
                None => CloseReason::Unknown {
                    code,
                    reason: printable(&close.reason),
                },
            }
        }
        ConnectionError::ConnectionClosed(close) => of_transport_close(close),
        ConnectionError::TimedOut => CloseReason::Idle(idle),
        ConnectionError::Reset => CloseReason::Reset,
        ConnectionError::LocallyClosed => CloseReason::Local,
        ConnectionError::TransportError(error) => CloseReason::Lost(error.to_string()),
        ConnectionError::VersionMismatch | ConnectionError::CidsExhausted => {
            CloseReason::Lost(error.to_string())
        }
    }
}

fn of_transport_close(close: &quinn::ConnectionClose) -> CloseReason {
    if close.error_code == TransportErrorCode::CONNECTION_REFUSED {
        return CloseReason::Lost("the gateway takes no new connections just now".to_owned());
    }
    // RFC 9001, 4.8: a TLS alert is the error code 0x100 + alert.
    let code = u64::from(close.error_code);
    match u8::try_from(code.wrapping_sub(0x100)) {
        Ok(alert) => of_alert(alert),
        Err(_) => CloseReason::Lost(format!("{} {}", close.error_code, printable(&close.reason))),
    }
}

/// Why a pipe broke.
pub(super) fn of_io(error: &io::Error) -> CloseReason {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if let Some(rustls::Error::AlertReceived(alert)) = tls {
        return of_alert(u8::from(*alert));
    }
    CloseReason::Lost(error.to_string())
}

fn of_alert(alert: u8) -> CloseReason {
    let refused = match alert {
        42 | 43 | 46 => "it is not one that a runner may have",
        44 => "it has been revoked",
        45 => "it has expired",
        48 | 51 => "it is not from this installation's runner CA",
        49 | 116 => "access is denied",
        NO_ALPN => {
            return CloseReason::Lost(format!(
                "the gateway does not speak this runner's framing ({}): upgrade the older one",
                String::from_utf8_lossy(protocol::ALPN_QUIC)
            ));
        }
        other => return CloseReason::Lost(format!("TLS alert {other}")),
    };
    CloseReason::Certificate(refused.to_owned())
}

/// Whether an answer to Hello is a final no: who this is, or what it speaks, is not accepted.
pub(super) fn is_refusal(code: Code) -> bool {
    match code {
        Code::Unauthenticated
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::InvalidArgument
        | Code::Unimplemented => true,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => false,
    }
}

/// A peer's text, safe to show: bounded, without control characters.
fn printable(bytes: &[u8]) -> String {
    let shown: String = String::from_utf8_lossy(bytes).chars().take(200).collect();
    shown
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_certificate_is_named() {
        let error = io::Error::other(rustls::Error::AlertReceived(
            rustls::AlertDescription::CertificateExpired,
        ));
        assert_eq!(
            of_io(&error),
            CloseReason::Certificate("it has expired".to_owned())
        );
    }

    #[test]
    fn an_unknown_framing_is_named() {
        let CloseReason::Lost(reason) = of_alert(NO_ALPN) else {
            panic!("not final")
        };
        assert!(reason.contains("terrane-runner/1"), "{reason}");
    }
}
