//! A TLS front before a space.

use std::sync::mpsc;

use tokio::sync::oneshot;

use super::space::Space;

/// A TLS front before a space, with a certificate of a local authority.
pub(crate) struct Tls {
    /// The authority's certificate, as PEM.
    pub(crate) authority: String,
    /// Where it listens.
    pub(crate) port: u16,
    _stop: oneshot::Sender<()>,
}

impl Tls {
    /// Listens for `localhost` and hands everything on to the space.
    pub(crate) fn before(space: &Space) -> Self {
        use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
        use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
        use tokio_rustls::rustls::{ServerConfig, crypto::ring};

        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_certificate = authority.self_signed(&authority_key).unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
        let behind = space.handle.addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let (started, is_started) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                started.send(listener.local_addr().unwrap().port()).unwrap();
                let mut connections = tokio::task::JoinSet::new();
                let serve = async {
                    while let Ok((client, _)) = listener.accept().await {
                        let acceptor = acceptor.clone();
                        connections.spawn(async move {
                            // A client that does not trust us hangs up.
                            let Ok(mut client) = acceptor.accept(client).await else {
                                return;
                            };
                            let mut server = tokio::net::TcpStream::connect(behind).await.unwrap();
                            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                        });
                    }
                };
                tokio::select! {
                    () = serve => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            authority: authority_certificate.pem(),
            port: is_started.recv().unwrap(),
            _stop: stop,
        }
    }
}
