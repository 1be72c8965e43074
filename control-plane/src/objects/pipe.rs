//! Bytes between async code and code that reads and writes synchronously: parsers and ciphers of
//! whole documents run on a thread for blocking work, with a few pieces in flight, however large the
//! document is.
//!
//! An end is only an end when it was said: a pipe whose other side vanished is an error on both
//! sides, so a cut stream is never taken for a short document.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures::{Stream, StreamExt};
use tokio::io::AsyncRead;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio_util::io::StreamReader;

/// Bytes of a piece that a writer collects before it is sent.
const PIECE: usize = 64 * 1024;
/// Pieces in flight.
const DEPTH: usize = 4;
/// Threads for blocking work are shared with hashing and file I/O: slow clients must not take all.
static THREADS: Semaphore = Semaphore::const_new(64);

enum Piece {
    Bytes(Bytes),
    End,
    Failed(io::Error),
}

fn broken() -> io::Error {
    io::Error::new(
        io::ErrorKind::BrokenPipe,
        "the other side of a pipe is gone",
    )
}

/// A pipe into async code.
pub fn pipe() -> (PipeWriter, PipeStream) {
    let (sender, receiver) = mpsc::channel(DEPTH);
    let writer = PipeWriter {
        pieces: sender,
        pending: Vec::new(),
    };
    (
        writer,
        PipeStream {
            pieces: receiver,
            ended: false,
        },
    )
}

/// The synchronous end that is written to. Ends with [`PipeWriter::finish`].
pub struct PipeWriter {
    pieces: mpsc::Sender<Piece>,
    pending: Vec<u8>,
}

impl PipeWriter {
    /// Tells the reader that all is said, or that it failed.
    pub fn finish(mut self, result: io::Result<()>) {
        let last = match result.and_then(|()| self.flush()) {
            Ok(()) => Piece::End,
            Err(error) => Piece::Failed(error),
        };
        // A reader that is gone needs no end.
        let _ = self.pieces.blocking_send(last);
    }
}

impl Write for PipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE.saturating_sub(self.pending.len());
        let taken = bytes.len().min(room);
        self.pending.extend_from_slice(&bytes[..taken]);
        if self.pending.len() >= PIECE {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.pending));
        self.pieces
            .blocking_send(Piece::Bytes(piece))
            .map_err(|_| broken())
    }
}

/// The synchronous end that is read from.
pub struct PipeReader {
    pieces: mpsc::Receiver<Piece>,
    current: Bytes,
    ended: bool,
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Piece::Bytes(bytes)) => self.current = bytes,
                Some(Piece::End) => self.ended = true,
                Some(Piece::Failed(error)) => return Err(error),
                None => return Err(broken()),
            }
        }
        let length = self.current.len().min(buffer.len());
        self.current.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

/// The async end that is read from.
pub struct PipeStream {
    pieces: mpsc::Receiver<Piece>,
    ended: bool,
}

impl PipeStream {
    pub fn into_reader(self) -> impl AsyncRead + Send + Unpin {
        StreamReader::new(self)
    }
}

impl Stream for PipeStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.pieces.poll_recv(cx).map(|piece| {
            if let Some(Piece::Bytes(bytes)) = piece {
                return Some(Ok(bytes));
            }
            self.ended = true;
            match piece {
                Some(Piece::End) => None,
                Some(Piece::Failed(error)) => Some(Err(error)),
                Some(Piece::Bytes(_)) | None => Some(Err(broken())),
            }
        })
    }
}

/// Runs `work` on a thread for blocking work, with `input` to read. `work` need not read it all.
///
/// # Errors
/// That of `input`, whatever `work` made of it.
pub async fn read_blocking<T: Send + 'static>(
    input: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
    work: impl FnOnce(&mut PipeReader) -> T + Send + 'static,
) -> io::Result<T> {
    let _permit = THREADS.acquire().await;
    let (sender, receiver) = mpsc::channel(DEPTH);
    let mut reader = PipeReader {
        pieces: receiver,
        current: Bytes::new(),
        ended: false,
    };
    let worker = tokio::task::spawn_blocking(move || work(&mut reader));
    let (fed, done) = tokio::join!(feed(input, sender), worker);
    let done = done.unwrap_or_else(resume);
    fed.map(|()| done)
}

fn resume<T>(failed: JoinError) -> T {
    // Only a panic ends blocking work early: nothing aborts it.
    std::panic::resume_unwind(failed.into_panic())
}

/// Hands `input` over until its end, its failure, or until nobody reads any more.
async fn feed(
    mut input: impl Stream<Item = io::Result<Bytes>> + Unpin,
    to: mpsc::Sender<Piece>,
) -> io::Result<()> {
    loop {
        let next = tokio::select! {
            next = input.next() => next,
            () = to.closed() => return Ok(()),
        };
        let (piece, result) = match next {
            Some(Ok(bytes)) => (Piece::Bytes(bytes), None),
            None => (Piece::End, Some(Ok(()))),
            Some(Err(error)) => {
                let copy = io::Error::new(error.kind(), error.to_string());
                (Piece::Failed(copy), Some(Err(error)))
            }
        };
        let sent = to.send(piece).await;
        match (result, sent) {
            (Some(result), _) => return result,
            (None, Ok(())) => {}
            (None, Err(_)) => return Ok(()),
        }
    }
}

/// A stream that `work` makes of another one, on a thread for blocking work. Dropping it ends the
/// work.
pub fn through(
    input: impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static,
    work: impl FnOnce(&mut PipeReader, &mut PipeWriter) -> io::Result<()> + Send + 'static,
) -> Through {
    let (mut writer, output) = pipe();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let failures = writer.pieces.clone();
        let run = move |reader: &mut PipeReader| {
            let result = work(reader, &mut writer);
            // A failed input is reported by who fed it, with its cause.
            match result {
                Ok(()) => writer.finish(Ok(())),
                Err(error) => return Some(error),
            }
            None
        };
        let failure = match read_blocking(input, run).await {
            Ok(failure) => failure,
            Err(error) => Some(error),
        };
        if let Some(error) = failure {
            let _ = failures.send(Piece::Failed(error)).await;
        }
    });
    Through {
        output,
        _tasks: tasks,
    }
}

/// See [`through`].
pub struct Through {
    output: PipeStream,
    /// Ends with us.
    _tasks: JoinSet<()>,
}

impl Through {
    pub fn into_reader(self) -> impl AsyncRead + Send + Unpin {
        StreamReader::new(self)
    }
}

impl Stream for Through {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.output).poll_next(cx)
    }
}
