//! Fetches certificates, of servers and out of files, and tries them at the times
//! that matter.
//!
//! Their dates are not parsed here: the library that decides whether a connection is
//! trusted is asked about times before and behind all dates, and names the one that
//! it was held against. So what is told is what a client would do.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};

use super::{ask_all, not_found};
use crate::host::clock;
use crate::probe::cert::{Certificate, Seen, Target, Trouble};

/// The year 10000: behind every date that a certificate can hold.
const BEHIND_ALL_DATES: u64 = 253_402_300_800;

/// Tries that find the end of a chain to the second: its life is below 2⁴⁰ s.
const TRIES_MAX: u32 = 40;

/// The bytes of a file of certificates that are read.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The authorities that this machine trusts.
#[derive(Debug, Clone)]
pub struct Roots(Arc<RootCertStore>);

impl Roots {
    /// Those of the system (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others), and those
    /// in a PEM file. The error is a reason that a person can read.
    pub fn load(ca_file: Option<&Path>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        // Single ones that cannot be read are missed where they are needed.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca_file {
            roots.add_parsable_certificates(certificates_in(path)?);
        }
        Ok(Self(Arc::new(roots)))
    }
}

/// Looks at all of these at the same time. Servers are asked for `name` if it is
/// given, else for their own.
pub fn look(
    targets: &[(String, Target)],
    name: Option<&str>,
    roots: &Roots,
    patience: Duration,
) -> Vec<Seen> {
    let questions = targets.iter().map(|(_, target)| {
        let (target, roots) = (target.clone(), roots.clone());
        let name = name.map(str::to_owned);
        move || match target {
            Target::File(path) => in_file(&path).map_err(Trouble::Probe),
            Target::Server { host, port } => at_server(
                &host,
                port,
                name.as_deref().unwrap_or(&host),
                &roots,
                patience,
            ),
        }
    });
    let results = ask_all(questions.collect(), patience);
    let seen = targets.iter().zip(results);
    seen.map(|((text, _), result)| Seen {
        target: text.clone(),
        result: result.unwrap_or_else(|| Err(Trouble::Server(silence(patience)))),
    })
    .collect()
}

fn silence(patience: Duration) -> String {
    format!("does not answer within {} s", patience.as_secs())
}

/// What a file holds; the first of its certificates that ends speaks for it.
fn in_file(path: &Path) -> Result<Certificate, String> {
    let mut first: Option<Certificate> = None;
    let certificates = certificates_in(path)?;
    let n_together = certificates.len();
    for der in certificates {
        let (not_before, not_after) = dates(&der)?;
        if first
            .as_ref()
            .is_none_or(|first| not_after < first.not_after)
        {
            first = Some(Certificate {
                not_before,
                not_after,
                chain_ends: None,
                distrust: None,
                n_together,
            });
        }
    }
    first.ok_or_else(|| "holds no certificate in PEM form".to_owned())
}

fn certificates_in(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    use std::io::Read as _;
    let file = std::fs::File::open(path);
    let mut pem = Vec::new();
    let read = file.and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut pem));
    read.map_err(|error| match error.kind() {
        ErrorKind::NotFound => "does not exist".to_owned(),
        ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
        _ => format!("cannot be read: {error}"),
    })?;
    CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("cannot be read: {error}"))
}

/// The first and the last second of a certificate's life.
fn dates(der: &CertificateDer<'_>) -> Result<(i64, i64), String> {
    let certificate = parsed(der)?;
    let nobody = RootCertStore::empty();
    let tried_at = |secs| tried(&certificate, &[], &nobody, secs);
    // The dates are looked at before anything else.
    let (Err(before), Err(behind)) = (tried_at(0), tried_at(BEHIND_ALL_DATES)) else {
        return Err("cannot be judged".to_owned());
    };
    let secs = |time: UnixTime| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let not_before = match before {
        Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. }) => {
            secs(not_before)
        }
        // From 1970 on.
        _ => 0,
    };
    match behind {
        Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
            Ok((not_before, secs(not_after)))
        }
        error => Err(format!("has no dates that can be read: {}", words(&error))),
    }
}

fn parsed<'a>(der: &'a CertificateDer<'a>) -> Result<ParsedCertificate<'a>, String> {
    ParsedCertificate::try_from(der)
        .map_err(|error| format!("has a certificate that cannot be read: {}", words(&error)))
}

/// Whether a chain would be trusted at that second.
fn tried(
    certificate: &ParsedCertificate<'_>,
    chain: &[CertificateDer<'_>],
    roots: &RootCertStore,
    secs: u64,
) -> Result<(), Error> {
    let time = UnixTime::since_unix_epoch(Duration::from_secs(secs));
    let algorithms = provider().signature_verification_algorithms.all;
    verify_server_cert_signed_by_trust_anchor(certificate, roots, chain, time, algorithms)
}

fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// What a server shows to who asks for `name`.
fn at_server(
    host: &str,
    port: u16,
    name: &str,
    roots: &Roots,
    patience: Duration,
) -> Result<Certificate, Trouble> {
    let server_name = ServerName::try_from(name.to_owned())
        .map_err(|_| Trouble::Probe(format!("`{name}` is no name of a server")))?;
    let stream = connect(host, port, patience).map_err(Trouble::Server)?;
    let chain = shake_hands(stream, &server_name).map_err(Trouble::Server)?;
    judge(&chain, &server_name, roots).map_err(Trouble::Server)
}

fn connect(host: &str, port: u16, patience: Duration) -> Result<TcpStream, String> {
    let addresses: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|error| not_found(&error))?
        .collect();
    let until = clock::now().moment.after(patience);
    let mut why = "has no address".to_owned();
    for (address, n_left) in addresses.iter().zip((1..=addresses.len()).rev()) {
        // One that swallows everything leaves time for the others.
        let left = until.from_now(clock::now().moment) / u32::try_from(n_left).unwrap_or(1);
        let left = left.max(Duration::from_millis(1));
        match TcpStream::connect_timeout(address, left) {
            Ok(stream) => {
                let timeout = Some(patience.max(Duration::from_millis(1)));
                let set = stream
                    .set_read_timeout(timeout)
                    .and_then(|()| stream.set_write_timeout(timeout));
                return set.map(|()| stream).map_err(|error| error.to_string());
            }
            Err(error) => {
                why = match error.kind() {
                    ErrorKind::ConnectionRefused => "refuses connections".to_owned(),
                    ErrorKind::TimedOut => silence(patience),
                    _ => format!("cannot be reached: {error}"),
                };
            }
        }
    }
    Err(why)
}

/// Takes every certificate, and keeps it; the server must only prove that it has the
/// key. It is judged when all of it is known.
#[derive(Debug)]
struct Collector {
    provider: CryptoProvider,
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Collector {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = std::iter::once(end_entity).chain(intermediates);
        let mut chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        *chain = shown.map(|der| der.clone().into_owned()).collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        (self.provider.signature_verification_algorithms).supported_schemes()
    }
}

/// Speaks TLS until the server has shown its certificates.
fn shake_hands(
    mut stream: TcpStream,
    name: &ServerName<'static>,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let collector = Arc::new(Collector {
        provider: provider(),
        chain: Mutex::default(),
    });
    let config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| words(&error))?
        .dangerous()
        .with_custom_certificate_verifier(collector.clone())
        .with_no_client_auth();
    let mut connection =
        ClientConnection::new(Arc::new(config), name.clone()).map_err(|error| words(&error))?;
    let mut done = Ok(());
    while connection.is_handshaking() && done.is_ok() {
        done = connection.complete_io(&mut stream).map(|_| ());
    }
    connection.send_close_notify();
    // Who does not hear the farewell sees the connection close.
    let _ = connection.write_tls(&mut stream);
    let chain =
        std::mem::take(&mut *(collector.chain.lock()).unwrap_or_else(PoisonError::into_inner));
    match done {
        Ok(()) => Ok(chain),
        Err(error) => {
            let cause = error
                .get_ref()
                .and_then(|cause| cause.downcast_ref::<Error>());
            match cause {
                // Servers that want a certificate of ours have shown theirs by then.
                Some(Error::AlertReceived(_)) if !chain.is_empty() => Ok(chain),
                Some(cause) => Err(format!("does not speak TLS with us: {}", words(cause))),
                None => Err(match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => "accepts connections, and does \
                         not answer"
                        .to_owned(),
                    ErrorKind::UnexpectedEof => {
                        "hangs up before it has shown a certificate".to_owned()
                    }
                    _ => format!("does not speak TLS with us: {error}"),
                }),
            }
        }
    }
}

/// Tries a chain now and later.
fn judge(
    chain: &[CertificateDer<'static>],
    name: &ServerName<'_>,
    roots: &Roots,
) -> Result<Certificate, String> {
    let (first, others) = chain.split_first().ok_or("shows no certificate")?;
    let (not_before, not_after) = dates(first)?;
    let certificate = parsed(first)?;
    let now = u64::try_from(clock::now().wall.0 / 1_000_000).unwrap_or(0);
    let is_trusted_at = |secs| tried(&certificate, others, &roots.0, secs).is_ok();
    let last = u64::try_from(not_after).unwrap_or(0);
    // Where its own dates are wrong already, all else is tried within them.
    let within = now.clamp(u64::try_from(not_before).unwrap_or(0), last);
    let mut chain_ends = None;
    let mut distrust = match tried(&certificate, others, &roots.0, within) {
        Ok(()) => None,
        Err(error) => Some(distrust(&error, !others.is_empty(), roots)),
    };
    if distrust.is_none() && !is_trusted_at(last) {
        let (mut good, mut bad) = (within, last);
        for _ in 0..TRIES_MAX {
            let middle = good.midpoint(bad);
            match is_trusted_at(middle) {
                true => good = middle,
                false => bad = middle,
            }
        }
        chain_ends = i64::try_from(good).ok();
    }
    if let Err(error) = verify_server_name(&certificate, name) {
        distrust = Some(match &error {
            Error::InvalidCertificate(CertificateError::NotValidForNameContext {
                presented,
                ..
            }) => format!("is for {}, not for `{}`", names(presented), name.to_str()),
            error => words(error),
        });
    }
    Ok(Certificate {
        not_before,
        not_after,
        chain_ends,
        distrust,
        n_together: 1,
    })
}

/// Why a chain is not trusted, for people.
fn distrust(error: &Error, has_chain: bool, roots: &Roots) -> String {
    match error {
        _ if roots.0.is_empty() => "cannot be trusted: this machine has no root certificates \
             (package ca-certificates, or `--ca-file`)"
            .to_owned(),
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => match has_chain {
            true => "is signed by no authority that this machine trusts".to_owned(),
            // The usual mistake of a server.
            false => "is signed by no authority that this machine trusts, and the server shows \
                 no certificate in between"
                .to_owned(),
        },
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            "is not signed by the authority that it names".to_owned()
        }
        Error::InvalidCertificate(CertificateError::ExpiredContext { .. }) => {
            "rests on a certificate that has expired".to_owned()
        }
        error => format!("is not trusted: {}", words(error)),
    }
}

/// Names of a certificate, as they are shown by the library: `DnsName("a")`.
fn names(presented: &[String]) -> String {
    const SHOWN_MAX: usize = 3;
    let mut shown: Vec<String> = (presented.iter().take(SHOWN_MAX))
        .map(|name| {
            let inner = name
                .split_once('(')
                .map_or(name.as_str(), |(_, inner)| inner);
            format!("`{}`", inner.trim_end_matches(')').trim_matches('"'))
        })
        .collect();
    match presented.len().saturating_sub(SHOWN_MAX) {
        0 if shown.is_empty() => return "no name".to_owned(),
        0 => {}
        n => shown.push(format!("{n} more")),
    }
    shown.join(", ")
}

/// An error without the words that only programmers need.
fn words(error: &Error) -> String {
    let text = error.to_string();
    match text.strip_prefix("invalid peer certificate: ") {
        Some(words) => words.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

    use super::*;

    /// 2050-01-01 and 2060-01-01.
    const Y2050: i64 = 2_524_608_000;
    const Y2060: i64 = 2_840_140_800;

    /// A certificate for `a.example` until 2060, the one in between, and the authority.
    fn chain(between_until: i32) -> [CertificateDer<'static>; 3] {
        let params = |names: &[&str], until| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut params = CertificateParams::new(names).unwrap();
            params.distinguished_name = rcgen::DistinguishedName::new();
            (params.distinguished_name).push(rcgen::DnType::CommonName, format!("{until}"));
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(until, 1, 1);
            params
        };
        let keys: [KeyPair; 3] = std::array::from_fn(|_| KeyPair::generate().unwrap());
        let mut root = params(&[], 2070);
        let mut between = params(&[], between_until);
        for authority in [&mut root, &mut between] {
            authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let leaf = params(&["a.example"], 2060);
        let root_der = root.self_signed(&keys[0]).unwrap().der().clone();
        let root = Issuer::new(root, &keys[0]);
        let between_der = between.signed_by(&keys[1], &root).unwrap().der().clone();
        let between = Issuer::new(between, &keys[1]);
        let leaf_der = leaf.signed_by(&keys[2], &between).unwrap().der().clone();
        [leaf_der, between_der, root_der]
    }

    #[test]
    fn chains() {
        let roots = |root: &CertificateDer<'static>| {
            let mut roots = RootCertStore::empty();
            roots.add(root.clone()).unwrap();
            Roots(Arc::new(roots))
        };
        let judged = |chain: &[CertificateDer<'static>], name: &str, roots: &Roots| {
            let name = ServerName::try_from(name.to_owned()).unwrap();
            judge(chain, &name, roots).unwrap()
        };
        let [leaf, between, root] = chain(2065);
        let trusted = roots(&root);
        let whole = [leaf.clone(), between];
        let certificate = judged(&whole, "a.example", &trusted);
        assert_eq!(certificate.not_after, Y2060);
        assert_eq!(certificate.chain_ends, None);
        assert_eq!(certificate.distrust, None);
        let distrust = |chain: &[CertificateDer<'static>], name, roots: &Roots| {
            judged(chain, name, roots).distrust.unwrap()
        };
        assert_eq!(
            distrust(&whole, "b.example", &trusted),
            "is for `a.example`, not for `b.example`"
        );
        assert_eq!(
            distrust(&[leaf], "a.example", &trusted),
            "is signed by no authority that this machine trusts, and the server shows no \
             certificate in between"
        );
        let nobody = Roots(Arc::new(RootCertStore::empty()));
        assert!(distrust(&whole, "a.example", &nobody).contains("ca-certificates"));

        // What it rests on ends first, to the second.
        let [leaf, between, root] = chain(2050);
        let certificate = judged(&[leaf, between], "a.example", &roots(&root));
        assert_eq!(certificate.chain_ends, Some(Y2050));
        let [leaf, between, root] = chain(2021);
        assert_eq!(
            distrust(&[leaf, between], "a.example", &roots(&root)),
            "rests on a certificate that has expired"
        );
    }
}
