//! An authority that nobody knows, and a server's certificate that it has signed.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// What a server with TLS needs, and what its clients need, as PEM.
#[derive(Debug)]
pub struct Certificate {
    /// The authority's certificate, for clients.
    pub authority: String,
    /// The server's.
    pub server: String,
    /// The server's key.
    pub server_key: String,
}

impl Certificate {
    /// A certificate for this name and no other.
    pub fn new(name: &str) -> Result<Self, rcgen::Error> {
        Self::of(&CertificateParams::new(vec![name.to_owned()])?)
    }

    /// The same, with nothing wrong but that its time is over.
    pub fn expired(name: &str) -> Result<Self, rcgen::Error> {
        let mut server = CertificateParams::new(vec![name.to_owned()])?;
        server.not_before = date_time_ymd(2019, 1, 1);
        server.not_after = date_time_ymd(2020, 1, 1);
        Self::of(&server)
    }

    fn of(server: &CertificateParams) -> Result<Self, rcgen::Error> {
        let mut authority = CertificateParams::new(Vec::new())?;
        // The same name as the server's would make that one look self-signed.
        authority.distinguished_name.push(DnType::CommonName, "an authority of the tests");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority_key = KeyPair::generate()?;
        let authority_certificate = authority.self_signed(&authority_key)?;
        let server_key = KeyPair::generate()?;
        let server = server.signed_by(&server_key, &Issuer::new(authority, authority_key))?;
        Ok(Self {
            authority: authority_certificate.pem(),
            server: server.pem(),
            server_key: server_key.serialize_pem(),
        })
    }
}
