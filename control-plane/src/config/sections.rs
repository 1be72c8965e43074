//! Every setting of the control plane.

use std::net::SocketAddr;
use std::path::PathBuf;

use domain::Secret;

use super::reader::Reader;
use super::setting::{Section, section};
use super::values::{AddressRange, BlobKind, Url};

section! {
    /// At the top of the file, outside any section.
    General = "" {
        /// Where the control plane keeps what it must find again after a restart, unless the
        /// database and the blobs are elsewhere.
        data_dir: PathBuf = "/var/lib/terrane",
    }
}

section! {
    /// The public HTTPS port: API, sign-in, health.
    Server = "server" {
        /// Address and port to listen on.
        listen: SocketAddr = "0.0.0.0:8443",
        /// How clients reach this installation, `https://terrane.example.com`. Terraform asks for
        /// service discovery at the root of the host, so there can't be a path.
        public_url: Url,
        /// PEM file of the certificate, followed by its intermediates. Read again when it changes.
        tls_certificate_file: Option<PathBuf>,
        /// PEM file of the certificate's private key.
        tls_key_file: Option<PathBuf>,
        /// Speak plain HTTP on `listen`, for a reverse proxy that does TLS.
        http_only: bool = "false",
        /// Addresses or ranges (`10.0.0.0/8`) of reverse proxies whose `Forwarded` and
        /// `X-Forwarded-*` headers are believed. Nobody else's are.
        trusted_proxies: Vec<AddressRange> = "",
        /// Connections at a time; further ones are closed.
        max_connections: u32 = "10000",
        /// How long requests in progress may take after a stop was asked for.
        drain_seconds: u32 = "25",
    }
}

section! {
    /// Metrics and health for operators. It asks for no credentials: keep it on a private address.
    Admin = "admin" {
        /// Address and port to listen on: `/metrics`, `/healthz`, `/readyz`.
        listen: SocketAddr = "127.0.0.1:8445",
    }
}

section! {
    /// The port that runners dial, over UDP (QUIC) and TCP (HTTP/2), both with mutual TLS.
    Gateway = "gateway" {
        /// Address and port to listen on, for UDP and TCP.
        listen: SocketAddr = "0.0.0.0:8444",
        /// Names or addresses, with or without a port, by which runners reach the gateway. They
        /// stand in its certificate. The host of `server.public_url` always does.
        advertise: Vec<String> = "",
    }
}

section! {
    /// SQLite for one control plane, PostgreSQL for several.
    Database = "database" {
        /// `sqlite:///path/to/file` or `postgres://user:password@host/database`. Without it: the
        /// SQLite file `terrane.db` in `data_dir`.
        url: Option<Secret>,
        /// Connections at a time of this process.
        max_connections: u32 = "16",
    }
}

section! {
    /// Where states, plans, configurations and finished logs are kept, encrypted.
    Blobs = "blobs" {
        /// `directory` or `s3`.
        kind: BlobKind = "directory",
        /// For `directory`. Without it: `blobs` in `data_dir`.
        directory: Option<PathBuf>,
        /// For `s3`: the bucket.
        bucket: Option<String>,
        /// For `s3`: the region.
        region: Option<String>,
        /// For `s3`: the address of a service other than Amazon's, `https://minio.example.com`.
        endpoint: Option<Url>,
        /// For `s3`: without it, the credentials of the machine are used.
        access_key_id: Option<String>,
        /// For `s3`.
        secret_access_key: Option<Secret>,
        /// For `s3`: allow an `endpoint` with `http://`.
        allow_http: bool = "false",
        /// For `s3`: put before each object's name, so that a bucket can be shared.
        prefix: Option<String>,
    }
}

section! {
    /// The key that all other keys are wrapped with. Without it nothing that is stored can be read:
    /// keep a copy apart from the backups of the database and the blobs.
    Keys = "keys" {
        /// 32 random bytes in base64 (`openssl rand -base64 32`). All control planes of an
        /// installation share it.
        installation_key: Option<Secret>,
        /// Instead of the key, a command that prints it, such as one that has a key service (KMS)
        /// decrypt it. It is run at each start, without a shell.
        installation_key_command: Vec<String> = "",
        /// The key before the last change of it: opens what `terrane keys rotate` has not moved
        /// under the new one yet.
        earlier_installation_key: Option<Secret>,
        /// As `installation_key_command`, for the key before.
        earlier_installation_key_command: Vec<String> = "",
    }
}

section! {
    /// The run machine.
    Runs = "runs" {
        /// How long a runner that executes an apply may be silent before the run ends as
        /// `state-uncertain`.
        out_of_contact_minutes: u32 = "15",
        /// How long a plan or an apply may take.
        timeout_minutes: u32 = "1440",
        /// How many runs of one account may be at work at a time; 0: any number. An account may be
        /// given a limit of its own (`terrane admin limit-runs`), and an environment a lower one
        /// (`max-concurrent-runs` in the API).
        max_concurrent_per_account: u32 = "0",
    }
}

section! {
    /// What a client may send, and how slowly.
    Limits = "limits" {
        /// Largest uploaded configuration archive, in bytes.
        max_configuration_bytes: u64 = "268435456",
        /// Largest state, in bytes.
        max_state_bytes: u64 = "1073741824",
        /// Largest log of a plan or an apply, in bytes; what comes after it is left out.
        max_log_bytes: u64 = "268435456",
        /// How long a client may take to send the head of a request, and may keep a connection
        /// without one.
        header_timeout_seconds: u32 = "30",
    }
}

section! {
    /// What plans and states cost.
    Cost = "cost" {
        /// A price book to use instead of the one in the program, as `terrane pricebook import`
        /// writes it. It is read at start.
        price_book: Option<PathBuf>,
    }
}

section! {
    /// The audit log of each account.
    Audit = "audit" {
        /// How many days records are kept in accounts that have no rule of their own; 0: for ever.
        retention_days: u32 = "0",
        /// The shortest that an account may choose for itself, in days, so that nobody can make his
        /// traces vanish soon.
        least_retention_days: u32 = "90",
    }
}

section! {
    /// What the control plane calls because a tenant has named it, as the source of a data document or
    /// an identity provider.
    Outbound = "outbound" {
        /// Networks that may be called besides the public internet, as `10.0.0.0/8` or one address.
        /// Without them nothing inside can be reached through the control plane.
        allowed_networks: Vec<AddressRange> = "",
        /// Certificates (PEM) to trust besides the system's.
        ca_file: Option<PathBuf>,
    }
}

section! {
    /// Log lines go to stderr.
    Log = "log" {
        /// `human` or `json`.
        format: telemetry::logs::Format = "human",
        /// What is logged: a level, or levels per module, as `info,control_plane::runs=debug`.
        filter: String = "info",
    }
}

/// The whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    pub general: General,
    pub server: Server,
    pub admin: Admin,
    pub gateway: Gateway,
    pub database: Database,
    pub blobs: Blobs,
    pub keys: Keys,
    pub runs: Runs,
    pub limits: Limits,
    pub cost: Cost,
    pub audit: Audit,
    pub outbound: Outbound,
    pub log: Log,
}

impl Config {
    pub(super) const SECTIONS: &[Section] = &[
        General::SECTION,
        Server::SECTION,
        Admin::SECTION,
        Gateway::SECTION,
        Database::SECTION,
        Blobs::SECTION,
        Keys::SECTION,
        Runs::SECTION,
        Limits::SECTION,
        Cost::SECTION,
        Audit::SECTION,
        Outbound::SECTION,
        Log::SECTION,
    ];

    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let general = General::read(reader);
        let server = Server::read(reader);
        let admin = Admin::read(reader);
        let gateway = Gateway::read(reader);
        let database = Database::read(reader);
        let blobs = Blobs::read(reader);
        let keys = Keys::read(reader);
        let runs = Runs::read(reader);
        let limits = Limits::read(reader);
        let cost = Cost::read(reader);
        let audit = Audit::read(reader);
        let outbound = Outbound::read(reader);
        let log = Log::read(reader);
        Some(Self {
            general: general?,
            server: server?,
            admin: admin?,
            gateway: gateway?,
            database: database?,
            blobs: blobs?,
            keys: keys?,
            runs: runs?,
            limits: limits?,
            cost: cost?,
            audit: audit?,
            outbound: outbound?,
            log: log?,
        })
    }
}
