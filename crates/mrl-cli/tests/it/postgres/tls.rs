//! Encrypted connections. The server of these tests has no TLS, so a proxy before it decrypts, as connection poolers do.

use std::{fs, io, path::PathBuf, sync::Arc};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use super::{Postgres, numbered};
use crate::{
    common::{World, fail, succeed},
    errors::says,
};

/// How a client asks for encryption (`SSLRequest`): the length of the message, which is 8, and a code.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// A proxy that accepts only encrypted connections. It stops when this value is dropped.
struct Proxy {
    port: u16,
    certificate: String,
    _runtime: Runtime,
}

impl Proxy {
    /// Passes connections on to the server on port `server` of loopback, with a certificate for `host`.
    fn start(server: u16, host: &str) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([host.to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, acceptor.clone(), server));
            }
        });
        Self { port, certificate: cert.pem(), _runtime: runtime }
    }

    fn url(&self) -> String {
        format!("postgres://mrl:secret@127.0.0.1:{}/postgres?sslmode=require", self.port)
    }
}

async fn pass_on(mut client: TcpStream, acceptor: TlsAcceptor, server: u16) -> io::Result<()> {
    let mut request = [0; SSL_REQUEST.len()];
    client.read_exact(&mut request).await?;
    if request != SSL_REQUEST {
        return Err(io::Error::other("the client does not encrypt"));
    }
    client.write_all(b"S").await?;
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(("127.0.0.1", server)).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// A file of certificates that `mrl` trusts instead of the system's.
fn trusted(world: &World, certificate: &str) -> PathBuf {
    let file = world.path("trusted.pem");
    fs::write(&file, certificate).unwrap();
    file
}

#[test]
fn an_encrypted_connection_is_used() {
    let Some(postgres) = Postgres::start() else { return };
    let (folder, _, _) = numbered(20);
    let world = World { folder };
    let proxy = Proxy::start(postgres.port, "127.0.0.1");
    let certificates = trusted(&world, &proxy.certificate);
    let url = proxy.url();
    let mut push = world.mrl(&format!("index push rows.index --postgres {url} --table rows"));
    push.env("SSL_CERT_FILE", &certificates);
    succeed(push);
    assert_eq!(postgres.number("SELECT count(*) FROM rows"), 20);
}

#[test]
fn a_certificate_that_is_not_trusted_is_refused_with_the_cure() {
    let (folder, _, _) = numbered(20);
    let world = World { folder };
    // No connection gets as far as the server.
    let [ours, elsewhere, unknown] =
        ["127.0.0.1", "db.example", "127.0.0.1"].map(|host| Proxy::start(1, host));
    for (proxy, trusted_certificate) in [(&elsewhere, &elsewhere.certificate), (&unknown, &ours.certificate)]
    {
        let mut push = world.mrl(&format!("index push rows.index --postgres {}", proxy.url()));
        push.env("SSL_CERT_FILE", trusted(&world, trusted_certificate));
        says(&fail(push, 1), &["certificate", "a certificate that this system trusts", "sslmode=disable"]);
    }
}
