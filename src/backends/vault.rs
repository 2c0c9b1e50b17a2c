//! Secrets as they lie in the database: encrypted with a master key where there is one.
//!
//! A sealed secret is the text `sealed:1:<key id>:<base64>` of a random nonce and the output of ChaCha20-Poly1305 (RFC 8439). The id says
//! which of the master keys it was, and is made of the key. The endpoint's id and tenant are authenticated with it, so that a sealed secret
//! opens in its own row alone.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::config::SecuritySettings;
use crate::model::clock::{self, Timestamp};
use crate::model::rotation::{EarlierSecret, Rotation};
use crate::model::secret::{SEALED, Secret};

/// Why a secret cannot be written or read.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum VaultError {
    #[error("its secret is encrypted with the key {0}, which is not among those of security.master_key")]
    NoSuchKey(String),
    #[error("its secret cannot be decrypted with the key {0}: it is not what was encrypted for this endpoint and tenant")]
    Forged(String),
    #[error("its secret is not text that Posthaste wrote: it starts with `{SEALED}`, and the rest is {0}")]
    Odd(&'static str),
    #[error("its earlier secrets are not what Posthaste wrote: {0}")]
    OddList(String),
    #[error("there are no random bytes to be had")]
    NoRandom,
}

/// What a secret belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) id: i64,
    pub(super) tenant: &'a str,
}

struct Key {
    id: String,
    key: LessSafeKey,
}

/// Writes and reads secrets. The first key seals; without keys they are kept as they are.
#[derive(Default)]
pub(super) struct Vault(Vec<Key>);

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

/// The columns of a row that hold secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) secret: String,
    /// A JSON list of [`StoredEarlier`].
    pub(super) previous: String,
}

#[derive(Serialize, Deserialize)]
struct StoredEarlier {
    secret: String,
    /// Microseconds since 1970.
    until: i64,
}

/// All secrets of an endpoint.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Secrets {
    pub(super) newest: Secret,
    pub(super) earlier: Vec<EarlierSecret>,
}

impl Vault {
    pub(super) fn new(settings: &SecuritySettings) -> Self {
        Self(settings.master_keys.iter().filter_map(|key| Key::new(&key.0)).collect())
    }

    /// `whsec_` and the base64 of 32 random bytes.
    pub(super) fn make_secret() -> Result<Secret, VaultError> {
        let mut key = [0; 32];
        SystemRandom::new().fill(&mut key).map_err(|_unspecified| VaultError::NoRandom)?;
        Ok(Secret::new(format!("whsec_{}", STANDARD.encode(key))))
    }

    fn seal(&self, owner: Owner<'_>, secret: &Secret) -> Result<String, VaultError> {
        let Some(Key { id, key }) = self.0.first() else { return Ok(secret.reveal().to_owned()) };
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_unspecified| VaultError::NoRandom)?;
        let mut text = secret.reveal().as_bytes().to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound_to(owner), &mut text)
            .map_err(|_unspecified| VaultError::Odd("too long"))?;
        Ok(format!("{SEALED}1:{id}:{}", STANDARD.encode([&nonce[..], &text].concat())))
    }

    fn open(&self, owner: Owner<'_>, stored: &str) -> Result<Secret, VaultError> {
        let Some(sealed) = stored.strip_prefix(SEALED) else { return Ok(Secret::new(stored.to_owned())) };
        let odd = VaultError::Odd("not of a form that this version knows");
        let (id, text) = sealed.strip_prefix("1:").and_then(|rest| rest.split_once(':')).ok_or(odd)?;
        let bytes = STANDARD.decode(text).map_err(|_not_base64| VaultError::Odd("not base64"))?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(VaultError::Odd("too short"))?;
        let known = self.0.iter().find(|key| key.id == id).ok_or_else(|| VaultError::NoSuchKey(id.to_owned()))?;
        let forged = || VaultError::Forged(id.to_owned());
        let mut sealed = sealed.to_vec();
        let opened = known.key.open_in_place(Nonce::assume_unique_for_key(*nonce), bound_to(owner), &mut sealed);
        let opened = opened.map_err(|_unspecified| forged())?;
        std::str::from_utf8(opened).map(|text| Secret::new(text.to_owned())).map_err(|_not_text| forged())
    }

    pub(super) fn write(&self, owner: Owner<'_>, secrets: &Secrets) -> Result<Stored, VaultError> {
        let sealed = |earlier: &EarlierSecret| {
            Ok(StoredEarlier { secret: self.seal(owner, &earlier.secret)?, until: earlier.until.timestamp_micros() })
        };
        let list: Vec<_> = secrets.earlier.iter().map(sealed).collect::<Result<_, VaultError>>()?;
        let previous = serde_json::to_string(&list).map_err(|error| VaultError::OddList(error.to_string()))?;
        Ok(Stored { secret: self.seal(owner, &secrets.newest)?, previous })
    }

    pub(super) fn read(&self, owner: Owner<'_>, stored: &Stored) -> Result<Secrets, VaultError> {
        let earlier = |item: StoredEarlier| {
            let until = chrono::DateTime::from_timestamp_micros(item.until).unwrap_or(Timestamp::MIN_UTC);
            Ok(EarlierSecret { secret: self.open(owner, &item.secret)?, until })
        };
        let earlier = list(stored)?.into_iter().map(earlier).collect::<Result<_, VaultError>>()?;
        Ok(Secrets { newest: self.open(owner, &stored.secret)?, earlier })
    }

    /// All secrets, or none and why they cannot be read: said in the log as well, for somebody has to do something.
    pub(super) fn unlock(&self, owner: Owner<'_>, stored: &Stored) -> (Secrets, Option<String>) {
        match self.read(owner, stored) {
            Ok(secrets) => (secrets, None),
            Err(error) => {
                tracing::error!(endpoint_id = owner.id, %error, "what is owed to an endpoint waits, since nothing can be signed");
                (Secrets { newest: Secret::new(String::new()), earlier: Vec::new() }, Some(error.to_string()))
            }
        }
    }

    /// The same secrets sealed with the first key; `None` when they are.
    pub(super) fn sealed_anew(&self, owner: Owner<'_>, stored: &Stored) -> Result<Option<Stored>, VaultError> {
        let Some(first) = self.0.first() else { return Ok(None) };
        let start = format!("{SEALED}1:{}:", first.id);
        if stored.secret.starts_with(&start) && list(stored)?.iter().all(|earlier| earlier.secret.starts_with(&start)) {
            return Ok(None);
        }
        self.write(owner, &self.read(owner, stored)?).map(Some)
    }
}

impl Key {
    fn new(bytes: &[u8; 32]) -> Option<Self> {
        let id = hex::encode(&Sha256::new().chain_update(b"posthaste master key\n").chain_update(bytes).finalize()[..4]);
        Some(Self { id, key: LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, bytes).ok()?) })
    }
}

fn bound_to(owner: Owner<'_>) -> Aad<String> {
    Aad::from(format!("posthaste endpoint secret\n{}\n{}", owner.id, owner.tenant))
}

fn list(stored: &Stored) -> Result<Vec<StoredEarlier>, VaultError> {
    serde_json::from_str(&stored.previous).map_err(|error| VaultError::OddList(error.to_string()))
}

impl Stored {
    /// Without the earlier secrets that are over; `None` when there is none. Needs no key.
    pub(super) fn without_expired(&self, now: Timestamp) -> Result<Option<Self>, VaultError> {
        let mut items = list(self)?;
        let before = items.len();
        items.retain(|item| item.until > now.timestamp_micros());
        if items.len() == before {
            return Ok(None);
        }
        let previous = serde_json::to_string(&items).map_err(|error| VaultError::OddList(error.to_string()))?;
        Ok(Some(Self { secret: self.secret.clone(), previous }))
    }
}

impl Secrets {
    /// What they are after a rotation, or why it cannot be made.
    pub(super) fn rotated(self, rotation: &Rotation) -> Result<Self, RotationRefused> {
        let now = clock::now();
        let newest = match &rotation.secret {
            Some(given) => given.clone(),
            None => Vault::make_secret().map_err(RotationRefused::Vault)?,
        };
        let mut earlier = self.earlier;
        earlier.retain(|one| one.until > now);
        if newest == self.newest || earlier.iter().any(|one| one.secret == newest) {
            return Err(RotationRefused::Known);
        }
        earlier.insert(0, EarlierSecret { secret: self.newest, until: clock::after(now, rotation.overlap) });
        // None outlives the one that followed it: an overlap of 0 leaves the new one alone.
        let ends = earlier[0].until;
        for one in &mut earlier {
            one.until = one.until.min(ends);
        }
        earlier.retain(|one| one.until > now);
        if earlier.len() > Rotation::MOST_EARLIER { Err(RotationRefused::TooMany) } else { Ok(Self { newest, earlier }) }
    }
}

/// Why a rotation cannot be made.
#[derive(Debug)]
pub(super) enum RotationRefused {
    Known,
    TooMany,
    Vault(VaultError),
}

impl From<RotationRefused> for crate::ports::CatalogError {
    fn from(refused: RotationRefused) -> Self {
        match refused {
            RotationRefused::Known => {
                Self::Conflict("this secret is one of the endpoint's already: give another one, or leave `secret` out".to_owned())
            }
            RotationRefused::TooMany => Self::Conflict(format!(
                "{} earlier secrets are still valid: wait until one of them ends, or end them all with an overlap of 0 seconds",
                Rotation::MOST_EARLIER
            )),
            RotationRefused::Vault(error) => Self::Conflict(format!("the secret cannot be rotated: {error}")),
        }
    }
}

#[cfg(test)]
mod tests;
