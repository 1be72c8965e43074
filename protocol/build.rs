//! Compiles the contract with protox, so that no `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(["terrane/runner/v1/runner.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .codec_path("crate::SizedCodec")
        .bytes(".")
        .emit_rerun_if_changed(false)
        .compile_fds(files)?;
    Ok(())
}
