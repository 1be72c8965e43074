//! A gateway with everything behind it, and runners that talk to it as real ones do.

use std::collections::BTreeMap;

use link::ca::{csr_for_key, generate_key_and_csr, recovery_message, sign_with_key};
use link::client::{ConnectError, Connection, Connector, ConnectorConfig};
use link::join::JoinToken;
use link::tls::{ClientIdentity, Trust};
use protocol::v1::{self, Capabilities, HelloRequest, LeaseRequest};
use telemetry::metrics::Registry;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::Status;

use crate::clock::Clock;
use crate::rpc::{Gateway, GatewaySettings};
use crate::supervise::{Deadlines, Ending, Signal, Supervisor, TaskMetrics};
use crate::testing::TestApp;

/// A gateway on a port of its own.
pub(super) struct Plane {
    address: String,
    signals: mpsc::Sender<Signal>,
    running: JoinSet<Ending>,
}

impl Plane {
    pub(super) async fn start(app: &TestApp) -> Self {
        let settings = GatewaySettings {
            listen: "127.0.0.1:0".parse().unwrap(),
            names: vec!["127.0.0.1".to_owned()],
        };
        let gateway = Gateway::bind(app.shared(), settings).await.unwrap();
        let address = gateway.local_address().to_string();
        let metrics = TaskMetrics::register(&Registry::new()).unwrap();
        let supervisor = Supervisor::new(Deadlines::default(), Clock::System, metrics);
        gateway.start(&supervisor.tasks(), app.router());
        let (signals, receiver) = mpsc::channel(4);
        let mut running = JoinSet::new();
        running.spawn(supervisor.run(receiver));
        Self {
            address,
            signals,
            running,
        }
    }

    /// Ends everything that it started.
    pub(super) async fn stop(mut self) {
        self.signals.send(Signal::Terminate).await.unwrap();
        let ending = self.running.join_next().await.unwrap().unwrap();
        assert_eq!(ending.died, []);
    }

    fn connector(&self, trust: Trust, identity: Option<ClientIdentity>) -> Connector {
        Connector::new(ConnectorConfig::new(&self.address, trust, identity)).unwrap()
    }

    /// Joins with a token as its text was shown.
    pub(super) async fn enrol(&self, token: &str, name: &str) -> Result<TestRunner, Status> {
        let parsed = JoinToken::parse(token).unwrap();
        let connector = self.connector(Trust::Fingerprint(parsed.ca_fingerprint()), None);
        let made = generate_key_and_csr().unwrap();
        let mut enrolling = connector.connect_for_enrollment().await.unwrap();
        let request = v1::EnrollRequest {
            join_token: token.to_owned(),
            csr_der: made.csr_der.into(),
            name: name.to_owned(),
            labels: BTreeMap::<String, String>::new().into_iter().collect(),
            version: "test".to_owned(),
        };
        let answer = enrolling.client.enroll(request).await?.into_inner();
        let identity = ClientIdentity {
            certificate: answer.certificate_der.to_vec().into(),
            key: made.key,
        };
        Ok(self.runner(answer.runner_id, &answer.ca_der, identity))
    }

    fn runner(&self, id: String, ca: &[u8], identity: ClientIdentity) -> TestRunner {
        let trust = Trust::Ca(ca.to_vec().into());
        TestRunner {
            id,
            connector: self.connector(trust, Some(identity.clone())),
            identity,
        }
    }

    /// Asks for an identity with the proof of its old key, as a runner does that is not let in.
    pub(super) async fn recover(&self, runner: &TestRunner) -> Result<TestRunner, Status> {
        let key = &runner.identity.key;
        let csr_der = csr_for_key(key).unwrap();
        let signed_at = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now());
        let message = recovery_message(&csr_der, signed_at.timestamp());
        let request = v1::RecoverRequest {
            certificate_der: runner.identity.certificate.to_vec().into(),
            signature: sign_with_key(key, &message).unwrap().into(),
            csr_der: csr_der.into(),
            signed_at: signed_at.timestamp(),
        };
        let mut enrolling = runner.connector.connect_for_enrollment().await.unwrap();
        let answer = enrolling.client.recover(request).await?.into_inner();
        let identity = ClientIdentity {
            certificate: answer.certificate_der.to_vec().into(),
            key: key.clone(),
        };
        Ok(self.runner(answer.runner_id, &answer.ca_der, identity))
    }
}

/// A runner that has joined.
pub(super) struct TestRunner {
    pub(super) id: String,
    connector: Connector,
    identity: ClientIdentity,
}

impl TestRunner {
    pub(super) async fn connect(&self) -> Result<Connection, ConnectError> {
        self.connect_with("strong", true).await
    }

    pub(super) async fn connect_with(
        &self,
        sandbox: &'static str,
        blocked: bool,
    ) -> Result<Connection, ConnectError> {
        Ok(self.greet(sandbox, blocked).await?.0)
    }

    /// What a new connection is greeted with.
    pub(super) async fn hello(&self) -> Result<v1::HelloResponse, ConnectError> {
        Ok(self.greet("strong", true).await?.1)
    }

    async fn greet(
        &self,
        sandbox: &'static str,
        blocked: bool,
    ) -> Result<(Connection, v1::HelloResponse), ConnectError> {
        let hello = move |mut client: link::client::RunnerClient| async move {
            let request = HelloRequest {
                min_version: protocol::OLDEST_VERSION,
                max_version: protocol::VERSION,
                software: "test".to_owned(),
                capacity: 1,
                capabilities: Some(Capabilities {
                    sandbox_level: sandbox.to_owned(),
                    metadata_address_blocked: blocked,
                    ..Capabilities::default()
                }),
                ..HelloRequest::default()
            };
            client.hello(request).await.map(tonic::Response::into_inner)
        };
        self.connector.connect(hello).await
    }
}

/// Opens a lease stream with one free slot.
pub(super) async fn lease(connection: &Connection) -> tonic::Streaming<v1::LeaseEvent> {
    let mut control = connection.control();
    let asked = LeaseRequest { free_slots: 1 };
    control.lease(asked).await.unwrap().into_inner()
}
