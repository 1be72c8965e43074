//! Bulk data beside heart-beats, and a runner that moves.

use std::sync::atomic::Ordering;

use futures::StreamExt;
use link::client::RunnerClient;
use link::{Transport, client::Connection};
use protocol::v1::{DownloadRequest, HeartbeatRequest, LogChunk, UploadChunk, UploadResponse};
use tokio::task::JoinSet;

use crate::gateway::*;

const CHUNKS: u64 = 80;
const SIZE: u64 = CHUNKS * protocol::MAX_DATA_CHUNK as u64;

async fn upload(mut bulk: RunnerClient) -> UploadResponse {
    let chunks = (0..CHUNKS).map(|number| UploadChunk {
        offset: number * protocol::MAX_DATA_CHUNK as u64,
        data: vec![number as u8; protocol::MAX_DATA_CHUNK].into(),
        ..Default::default()
    });
    bulk.upload(futures::stream::iter(chunks))
        .await
        .unwrap()
        .into_inner()
}

async fn beat(connection: &Connection, sequence: u64) {
    let request = HeartbeatRequest {
        sequence,
        ..Default::default()
    };
    let mut control = connection.control();
    let answer = soon("a heart-beat", control.heartbeat(request))
        .await
        .unwrap();
    assert_eq!(answer.into_inner().sequence, sequence);
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_flow_while_an_upload_is_stuck() {
    let gateway = TestGateway::start().await;
    for transport in BOTH {
        let before = gateway.stub.uploaded.load(Ordering::Relaxed);
        gateway.stub.reading.send_replace(false);
        let (connection, _) = connect(&gateway.connector(transport)).await.unwrap();
        let bulk = connection.open_bulk().await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(upload(bulk));
        for sequence in 0..50 {
            beat(&connection, sequence).await;
        }
        assert_eq!(gateway.stub.uploaded.load(Ordering::Relaxed), before);
        gateway.stub.reading.send_replace(true);
        for sequence in 50..100 {
            beat(&connection, sequence).await;
        }
        let uploaded = soon("the upload", tasks.join_next())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(uploaded.disposition, "stored");
        assert_eq!(gateway.stub.uploaded.load(Ordering::Relaxed), before + SIZE);
    }
}

/// Over TCP logs share the connection with the heart-beats: each log that is not read fills its own
/// window, and all of them together must not fill the connection's.
#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_flow_while_every_log_is_stuck() {
    const LOGS: usize = 20;
    const CHUNKS: u64 = 32;
    let gateway = TestGateway::start().await;
    for transport in BOTH {
        gateway.stub.reading.send_replace(false);
        let (connection, _) = connect(&gateway.connector(transport)).await.unwrap();
        let mut tasks = JoinSet::new();
        for _ in 0..LOGS {
            let mut job = connection.open_job().await.unwrap();
            tasks.spawn(async move {
                let step = protocol::MAX_LOG_CHUNK as u64;
                let chunks = (0..CHUNKS).map(move |number| LogChunk {
                    offset: number * step,
                    data: vec![b'x'; protocol::MAX_LOG_CHUNK].into(),
                    ..Default::default()
                });
                let acks = job.append_log(futures::stream::iter(chunks)).await.unwrap();
                let last = acks
                    .into_inner()
                    .fold(0, |_, ack| async { ack.unwrap().offset });
                assert_eq!(last.await, CHUNKS * step);
            });
        }
        for sequence in 0..50 {
            beat(&connection, sequence).await;
        }
        gateway.stub.reading.send_replace(true);
        for _ in 0..LOGS {
            soon("a log", tasks.join_next()).await.unwrap().unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_has_a_connection_of_its_own_over_tcp_only() {
    let gateway = TestGateway::start().await;
    let (tcp, _) = connect(&gateway.connector(Transport::Tcp)).await.unwrap();
    let (quic, _) = connect(&gateway.connector(Transport::Quic)).await.unwrap();
    for connection in [&tcp, &quic] {
        for _ in 0..2 {
            let mut bulk = connection.open_bulk().await.unwrap();
            bulk.heartbeat(HeartbeatRequest::default()).await.unwrap();
        }
    }
    let stats = gateway.handle.stats();
    assert_eq!((stats.tcp, stats.quic), (2, 1));
    tcp.close();
    quic.close();
    until("both are gone", || {
        gateway.handle.stats().tcp + gateway.handle.stats().quic == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_arrives_whole() {
    let gateway = TestGateway::start().await;
    for transport in BOTH {
        let (connection, _) = connect(&gateway.connector(transport)).await.unwrap();
        let mut bulk = connection.open_bulk().await.unwrap();
        let chunks = bulk
            .download(DownloadRequest::default())
            .await
            .unwrap()
            .into_inner();
        let bytes = chunks.fold(
            0,
            |sum, chunk| async move { sum + chunk.unwrap().data.len() },
        );
        assert_eq!(
            soon("the download", bytes).await,
            32 * protocol::MAX_DATA_CHUNK
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_moves_in_mid_upload_goes_on() {
    let gateway = TestGateway::start().await;
    let (connection, _) = connect(&gateway.connector(Transport::Quic)).await.unwrap();
    gateway.stub.reading.send_replace(false);
    let mut tasks = JoinSet::new();
    tasks.spawn(upload(connection.open_bulk().await.unwrap()));
    beat(&connection, 1).await;
    for sequence in 2..5 {
        connection.rebind().unwrap();
        beat(&connection, sequence).await;
    }
    gateway.stub.reading.send_replace(true);
    connection.rebind().unwrap();
    let uploaded = soon("the upload", tasks.join_next())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(uploaded.disposition, "stored");
    assert_eq!(gateway.stub.uploaded.load(Ordering::Relaxed), SIZE);
    assert_eq!(gateway.handle.stats().accepted, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_jobs_than_streams_get_on() {
    let gateway = TestGateway::start().await;
    for transport in BOTH {
        let (connection, _) = connect(&gateway.connector(transport)).await.unwrap();
        let mut jobs = Vec::new();
        for sequence in 0..40 {
            let mut job = soon("a job's session", connection.open_job())
                .await
                .unwrap();
            let request = HeartbeatRequest {
                sequence,
                ..Default::default()
            };
            soon("its call", job.heartbeat(request)).await.unwrap();
            jobs.push(job);
        }
        // Sessions that end make room again.
        jobs.clear();
        let mut bulk = soon("bulk", connection.open_bulk()).await.unwrap();
        soon("a call", bulk.heartbeat(HeartbeatRequest::default()))
            .await
            .unwrap();
    }
}
