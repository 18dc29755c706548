//! An authority that nobody knows, and a server's certificate that it has signed.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// What a server with TLS needs, and what its clients need, as PEM.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) authority: String,
    pub(crate) server: String,
    pub(crate) server_key: String,
}

impl Certificate {
    /// A certificate for this name and no other.
    pub(crate) fn new(name: &str) -> Result<Self, rcgen::Error> {
        let mut authority = CertificateParams::new(Vec::new())?;
        // The same name as the server's would make that one look self-signed.
        authority.distinguished_name.push(DnType::CommonName, "an authority of the tests");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority_key = KeyPair::generate()?;
        let authority_certificate = authority.self_signed(&authority_key)?;
        let server_key = KeyPair::generate()?;
        let server = CertificateParams::new(vec![name.to_owned()])?
            .signed_by(&server_key, &Issuer::new(authority, authority_key))?;
        Ok(Self {
            authority: authority_certificate.pem(),
            server: server.pem(),
            server_key: server_key.serialize_pem(),
        })
    }
}
