//! An EdDSA key pair of the deployment's own: for those who sign in here, for the demo and for `xueji token`.
//!
//! The pair is kept in one PKCS#8 file that only its owner may read, and named by its public key. A server that only
//! verifies the tokens of an identity provider has no signer.

use std::{fs, io::Write, path::Path};

use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, spki::der::pem::LineEnding},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rand::Rng;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Claims, KeyError};
use crate::config::{flags::KeySpec, secret::SecretText};

/// Signs tokens with the server's own key.
pub struct Signer {
    kid: String,
    encoding: EncodingKey,
    public_pem: String,
}

#[derive(Serialize)]
struct Signed<'a> {
    #[serde(flatten)]
    claims: &'a Claims,
    aud: &'a str,
    nbf: u64,
}

impl Signer {
    /// Opens the key file, which must be there: servers of one deployment share it.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        if path.exists() {
            return Self::open_or_create(path);
        }
        let why = "it is not there; `openssl genpkey -algorithm ed25519 -out FILE` makes one, for all servers of a \
                   deployment";
        Err(KeyError::File { path: path.display().to_string(), why: why.to_owned() })
    }

    /// Opens the key file, or makes a new key pair where there is none.
    pub fn open_or_create(path: &Path) -> Result<Self, KeyError> {
        let fail = |why: String| KeyError::File { path: path.display().to_string(), why };
        match fs::read_to_string(path) {
            Ok(text) => {
                owner_only(path).map_err(fail)?;
                let key = SigningKey::from_pkcs8_pem(&text).map_err(|_detail| {
                    fail("it is no Ed25519 key in PKCS#8 PEM; remove it to get a new one".into())
                })?;
                Self::from_key(&key).map_err(fail)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut seed = [0u8; 32];
                rand::rng().fill(&mut seed);
                let key = SigningKey::from_bytes(&seed);
                let text =
                    key.to_pkcs8_pem(LineEnding::LF).map_err(|error| fail(error.to_string()))?;
                create(path, text.as_bytes()).map_err(|error| fail(error.kind().to_string()))?;
                Self::from_key(&key).map_err(fail)
            }
            Err(error) => Err(fail(error.kind().to_string())),
        }
    }

    fn from_key(key: &SigningKey) -> Result<Self, String> {
        let public = key.verifying_key();
        let digest = Sha256::digest(public.as_bytes());
        let kid = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let private = key.to_pkcs8_der().map_err(|error| error.to_string())?;
        let public_pem =
            public.to_public_key_pem(LineEnding::LF).map_err(|error| error.to_string())?;
        Ok(Self { kid, encoding: EncodingKey::from_ed_der(private.as_bytes()), public_pem })
    }

    /// The key's name, derived from the public key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key in PEM, for the settings of another server.
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// The public key as a setting, for a [`super::KeySet`] in the same process.
    pub fn key_spec(&self) -> KeySpec {
        KeySpec {
            kid: self.kid.clone(),
            alg: "EdDSA".to_owned(),
            key: Some(SecretText::from(self.public_pem.clone())),
            file: None,
        }
    }

    /// Signs claims for an audience; the token is valid from its time of issue.
    pub fn sign(&self, claims: &Claims, audience: &str) -> Result<String, KeyError> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.kid.clone());
        let signed = Signed { claims, aud: audience, nbf: claims.iat };
        jsonwebtoken::encode(&header, &signed, &self.encoding)
            .map_err(|error| KeyError::Unusable { kid: self.kid.clone(), why: error.to_string() })
    }
}

/// Writes a new file that only its owner may read; never over an existing one.
fn create(path: &Path, text: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// Refuses a key file that others may read.
fn owner_only(path: &Path) -> Result<(), String> {
    #[cfg(unix)]
    {
        let metadata = fs::metadata(path).map_err(|error| error.kind().to_string())?;
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
        if mode & 0o077 != 0 {
            return Err("others may read it; set its mode to 0600, or remove it to get a new one"
                .to_owned());
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
