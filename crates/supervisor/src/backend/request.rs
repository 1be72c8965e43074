//! One HTTP/1.1 request, read whole and bounded.

use std::io::{self, Read};

/// Most bytes before the body.
const LARGEST_HEAD: usize = 32 << 10;
const MOST_HEADERS: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    pub(crate) query: String,
    /// As sent: base64.
    pub(crate) content_md5: Option<String>,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the connection broke")]
    Broken(#[from] io::Error),
    #[error("this is no HTTP request")]
    Malformed,
    #[error("the request's head is too large")]
    HeadTooLarge,
    #[error("a body needs a Content-Length")]
    LengthRequired,
    #[error("the body is larger than {limit} bytes")]
    BodyTooLarge { limit: u64 },
}

impl Error {
    /// The status to answer with; none when nobody listens.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Broken(_) => None,
            Self::Malformed => Some(400),
            Self::HeadTooLarge => Some(431),
            Self::LengthRequired => Some(411),
            Self::BodyTooLarge { .. } => Some(413),
        }
    }
}

/// Reads one request from `stream`, with a body of at most `limit` bytes.
///
/// # Errors
/// See [`Error`].
pub(crate) fn read(stream: &mut impl Read, limit: u64) -> Result<Request, Error> {
    let mut buffer = Vec::with_capacity(4096);
    loop {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece)?;
        if length == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        buffer.extend_from_slice(&piece[..length]);
        if let Some((mut request, head, body)) = parse_head(&buffer, limit)? {
            request.body = buffer.split_off(head);
            request.body.truncate(body);
            let missing = body - request.body.len();
            stream.take(missing as u64).read_to_end(&mut request.body)?;
            if request.body.len() < body {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            return Ok(request);
        }
        if buffer.len() > LARGEST_HEAD {
            return Err(Error::HeadTooLarge);
        }
    }
}

/// The request without its body, and the lengths of head and body; `None` if more is to come.
fn parse_head(buffer: &[u8], limit: u64) -> Result<Option<(Request, usize, usize)>, Error> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let head = match parsed.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Error::Malformed),
    };
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
        return Err(Error::Malformed);
    };
    let header = |name: &str| {
        let found = parsed
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| std::str::from_utf8(header.value).map_err(|_| Error::Malformed))
    };
    if header("transfer-encoding").is_some() {
        return Err(Error::LengthRequired);
    }
    let body: u64 = match header("content-length").transpose()? {
        Some(text) => text.trim().parse().map_err(|_| Error::Malformed)?,
        None if ["POST", "PUT"].contains(&method) => return Err(Error::LengthRequired),
        None => 0,
    };
    if body > limit {
        return Err(Error::BodyTooLarge { limit });
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        content_md5: header("content-md5")
            .transpose()?
            .map(|text| text.trim().to_owned()),
        body: vec![],
    };
    Ok(Some((
        request,
        head,
        usize::try_from(body).map_err(|_| Error::Malformed)?,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives a few bytes at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.0.len().min(self.1).min(buffer.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    #[test]
    fn reads_what_terraform_sends_in_pieces_of_any_size() {
        let text = b"POST /s?ID=7 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Md5: q==\r\n\r\nhello";
        for piece in 1..text.len() {
            let request = read(&mut Drip(text, piece), 100).unwrap();
            assert_eq!(
                (request.method.as_str(), request.path.as_str()),
                ("POST", "/s")
            );
            assert_eq!(
                (request.query.as_str(), request.body.as_slice()),
                ("ID=7", &b"hello"[..])
            );
            assert_eq!(request.content_md5.as_deref(), Some("q=="));
        }
    }

    #[test]
    fn refuses_what_is_too_large_or_of_unknown_length() {
        let status = |text: &str| {
            read(&mut Drip(text.as_bytes(), 99), 4)
                .unwrap_err()
                .status()
        };
        assert_eq!(
            status("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"),
            Some(413)
        );
        assert_eq!(status("POST / HTTP/1.1\r\n\r\n"), Some(411));
        assert_eq!(
            status("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Some(411)
        );
        assert_eq!(status("nonsense\r\n\r\n"), Some(400));
        assert_eq!(
            status(&format!("GET /{} HTTP/1.1\r\n", "a".repeat(40_000))),
            Some(431)
        );
        assert_eq!(
            status("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab"),
            None
        );
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&mut Drip(&bytes, 17), 100);
        }
    }
}
