//! A local S3 server.
