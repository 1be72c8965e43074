//! Layers, mistakes and the generated page.

use std::path::Path;

use super::*;

const MINIMAL: &str = r#"
    [server]
    public_url = "https://terrane.example.com"
    tls_certificate_file = "/etc/terrane/tls.pem"
    tls_key_file = "/etc/terrane/tls.key"
    [keys]
    installation_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
"#;

#[test]
fn a_minimal_file_is_enough() {
    let config = load(MINIMAL, &[]).unwrap();
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:8443");
    assert_eq!(config.blobs.kind, BlobKind::Directory);
    assert_eq!(config.blob_directory(), Path::new("/var/lib/terrane/blobs"));
    assert_eq!(
        config.database_url().expose(),
        "sqlite:///var/lib/terrane/terrane.db"
    );
    assert!(config.server.trusted_proxies.is_empty());
}

#[test]
fn the_environment_wins_over_the_file_and_flags_over_both() {
    let file = write(MINIMAL);
    let layers = Layers::new()
        .default_value("admin.listen", "127.0.0.1:1")
        .file(file.path())
        .environment([
            variable("TERRANE__SERVER__LISTEN", "127.0.0.1:1000"),
            variable("TERRANE__SERVER__TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1"),
            variable("TERRANE__DATA_DIR", "/srv/terrane"),
            variable("TERRANE__RUNS__TIMEOUT_MINUTES", "7"),
            variable("PATH", "/bin"),
        ])
        .flag("server.listen", "127.0.0.1:2000");

    let config = Config::load(&layers).unwrap();

    assert_eq!(config.server.listen.port(), 2000);
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert_eq!(config.data_dir(), Path::new("/srv/terrane"));
    assert_eq!(config.runs.timeout_minutes, 7);
    assert_eq!(config.admin.listen.port(), 1);
}

#[test]
fn a_secret_that_looks_like_a_number_stays_text() {
    let config = load(MINIMAL, &[("TERRANE__DATABASE__URL", "sqlite:12345")]).unwrap();
    assert_eq!(config.database_url().expose(), "sqlite:12345");
    let config = load(
        "[blobs]\nkind = 's3'\nbucket = 'b'\naccess_key_id = '1'",
        &[("TERRANE__BLOBS__SECRET_ACCESS_KEY", "0123456789")],
    );
    let mistakes = config.unwrap_err();
    assert!(
        !mistakes.to_string().contains("secret_access_key"),
        "{mistakes}"
    );
}

#[test]
fn secrets_are_read_from_files_without_the_last_newline() {
    let secret = write("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
    let without_key = MINIMAL.split("[keys]").next().unwrap();
    let path = secret.path().to_str().unwrap();

    let config = load(
        without_key,
        &[("TERRANE__KEYS__INSTALLATION_KEY_FILE", path)],
    )
    .unwrap();
    assert!(
        config
            .keys
            .installation_key
            .unwrap()
            .expose()
            .ends_with("Hh8=")
    );

    let both = load(MINIMAL, &[("TERRANE__KEYS__INSTALLATION_KEY_FILE", path)]).unwrap_err();
    assert!(both.to_string().contains("not both"), "{both}");

    let absent = [("TERRANE__KEYS__INSTALLATION_KEY_FILE", "/nonexistent/key")];
    let absent = load(without_key, &absent).unwrap_err();
    assert!(
        absent
            .to_string()
            .contains("/nonexistent/key can't be read"),
        "{absent}"
    );
}

#[test]
fn secrets_are_not_shown() {
    let config = load(
        MINIMAL,
        &[("TERRANE__DATABASE__URL", "postgres://u:hunter2@h/d")],
    )
    .unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn all_mistakes_are_listed_at_once() {
    let file = r#"
        data_dir = 7
        colour = "blue"
        [server]
        listen = "everywhere"
        public_url = "terrane"
        trusted_proxies = ["10.0.0.0/8", "10.0.0.0/64", "proxy"]
        lisen = "0.0.0.0:1"
        [database]
        max_connections = -3
        [blobs]
        kind = "tape"
        allow_http = "perhaps"
        [log]
        format = "xml"
        [theme]
        dark = true
    "#;
    let mistakes = load(file, &[("TERRANE__RUNS__TIMEOUT_MINUTES", "soon")]).unwrap_err();

    let settings: Vec<&str> = mistakes.0.iter().map(|it| it.setting.as_str()).collect();
    assert_eq!(
        settings,
        [
            "data_dir",
            "server.listen",
            "server.public_url",
            "server.trusted_proxies",
            "server.trusted_proxies",
            "database.max_connections",
            "blobs.kind",
            "blobs.allow_http",
            "runs.timeout_minutes",
            "log.format",
            "colour",
            "server.lisen",
            "theme",
        ]
    );
    let text = mistakes.to_string();
    assert!(
        text.starts_with("the configuration has 13 mistakes:"),
        "{text}"
    );
    assert!(text.contains("terrane.toml)"), "{text}");
    assert!(
        text.contains("the environment variable TERRANE__RUNS__TIMEOUT_MINUTES"),
        "{text}"
    );
}

#[test]
fn settings_that_dont_fit_together_are_listed_too() {
    let file = r#"
        [server]
        public_url = "https://terrane.example.com/here"
        http_only = true
        tls_key_file = "/etc/terrane/tls.key"
        [database]
        url = "mysql://localhost"
        [blobs]
        kind = "s3"
        endpoint = "http://localhost:9000"
        access_key_id = "id"
        [runs]
        timeout_minutes = 0
        [log]
        filter = "[["
    "#;
    let mistakes = load(file, &[]).unwrap_err();
    let settings: Vec<&str> = mistakes.0.iter().map(|it| it.setting.as_str()).collect();
    assert_eq!(
        settings,
        [
            "server.public_url",
            "server.tls_key_file",
            "blobs.bucket",
            "blobs.access_key_id",
            "blobs.endpoint",
            "database.url",
            "runs.timeout_minutes",
            "keys.installation_key",
            "log.filter",
        ]
    );
}

#[test]
fn a_file_that_isnt_there_or_isnt_toml_is_named() {
    let absent = Config::load(&Layers::new().file("/nonexistent/terrane.toml")).unwrap_err();
    assert!(
        absent.to_string().contains("/nonexistent/terrane.toml"),
        "{absent}"
    );
    let broken = load("[server\nlisten=", &[]).unwrap_err();
    assert!(broken.to_string().contains("terrane.toml"), "{broken}");
}

#[test]
fn the_configuration_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let page = documentation();
    if std::env::vars().any(|(name, _)| name == "UPDATE_DOCS") {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/configuration.md is stale: UPDATE_DOCS=1 cargo test -p control-plane configuration_page"
    );
}

#[test]
fn every_setting_is_documented() {
    for section in Config::SECTIONS {
        assert!(!section.documentation.is_empty(), "{}", section.name);
        for setting in section.settings {
            assert!(
                !setting.documentation.is_empty(),
                "{}.{}",
                section.name,
                setting.key
            );
        }
    }
}

fn load(toml: &str, environment: &[(&str, &str)]) -> Result<Config, Mistakes> {
    let file = write(toml);
    let environment = environment
        .iter()
        .map(|(name, value)| variable(name, value));
    Config::load(&Layers::new().file(file.path()).environment(environment))
}

fn variable(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn write(content: &str) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new()
        .suffix("terrane.toml")
        .tempfile()
        .unwrap();
    std::fs::write(file.path(), content).unwrap();
    file
}
