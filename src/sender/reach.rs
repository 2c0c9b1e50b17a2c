//! Looks how far a request would get, step by step, as an engineer would with dig, curl and openssl.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::{HeaderValue, Method, Request, header};
use http_body_util::Full;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use url::Host;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::classify;
use super::client::Sender;
use super::connect::{self, server_name};
use super::target::Target;
use crate::model::clock::{self, Timestamp};
use crate::model::outcome::{Failure, FailureKind};
use crate::model::reach::{Reach, Step};

/// How long one step may take.
const STEP: Duration = Duration::from_secs(5);

type Failed = (Step, Failure);

impl Sender {
    /// Looks at the way to a receiver. Nothing is sent but a HEAD request without credentials.
    pub async fn reach(&self, target: &Target) -> Reach {
        let mut reach = Reach::default();
        reach.failed = self.look(target, &mut reach).await.err();
        reach
    }

    async fn look(&self, target: &Target, reach: &mut Reach) -> Result<(), Failed> {
        self.guard.check_url(&target.url).map_err(|reason| (Step::Url, classify::blocked(&reason)))?;
        let uri = target.uri.clone().ok_or_else(|| (Step::Url, classify::unusable_url()))?;
        reach.addresses = self.addresses(&target.url).await?;
        let port = target.url.port_or_known_default().unwrap_or(443);
        let may_be_reached: Vec<_> =
            reach.addresses.iter().filter(|(_, why)| why.is_none()).map(|(address, _)| SocketAddr::new(*address, port)).collect();
        let Some(_) = may_be_reached.first() else {
            let reasons: Vec<_> = reach.addresses.iter().filter_map(|(_, why)| why.clone()).collect();
            return Err((Step::Resolve, Failure { kind: FailureKind::Blocked, detail: reasons.join("; ") }));
        };
        let started = Instant::now();
        // Tries one after the other.
        let connecting = TcpStream::connect(&may_be_reached[..]);
        let tcp = within(Step::Connect, connecting).await?;
        reach.connected = Some(started.elapsed());
        if target.url.scheme() == "https" {
            let name = server_name(&uri).map_err(|error| (Step::Tls, classify::failure(&*error)))?;
            let stream = within(Step::Tls, self.tls.connect(name, tcp)).await?;
            reach.certificate_until = stream.get_ref().1.peer_certificates().and_then(|chain| valid_until(chain.first()?));
        } else {
            drop(tcp);
        }
        let started = Instant::now();
        let mut request = Request::new(Full::default());
        (*request.method_mut(), *request.uri_mut()) = (Method::HEAD, uri);
        request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(super::target::USER_AGENT_VALUE));
        let deadline = Instant::now() + STEP;
        let answered = connect::until(deadline, self.single.request(request)).await;
        let response = answered.map_err(|_| too_late(Step::Head))?.map_err(|error| (Step::Head, classify::failure(&error)))?;
        reach.head = Some((response.status().as_u16(), started.elapsed()));
        Ok(())
    }

    /// Where the URL's host leads, with the guard's verdict on each address.
    async fn addresses(&self, url: &url::Url) -> Result<Vec<(IpAddr, Option<String>)>, Failed> {
        let found = match url.host() {
            Some(Host::Ipv4(address)) => vec![address.into()],
            Some(Host::Ipv6(address)) => vec![address.into()],
            host => {
                let name = host.map(|host| host.to_string()).unwrap_or_default();
                let looking = timeout_at(Instant::now() + STEP, self.resolver.all(&name));
                looking.await.map_err(|_| too_late(Step::Resolve))?.map_err(|error| (Step::Resolve, classify::failure(&error)))?
            }
        };
        Ok(found.into_iter().map(|address| (address, self.guard.check(address).err().map(|reason| reason.to_string()))).collect())
    }
}

async fn within<T>(step: Step, action: impl Future<Output = std::io::Result<T>>) -> Result<T, Failed> {
    let done = timeout(STEP, action).await.map_err(|_| too_late(step))?;
    done.map_err(|error| (step, classify::failure(&error)))
}

fn too_late(step: Step) -> Failed {
    (step, Failure { kind: FailureKind::Timeout, detail: format!("nothing came of it within {} s", STEP.as_secs()) })
}

/// The end of a certificate's validity (RFC 5280, section 4.1.2.5).
fn valid_until(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let read = Certificate::from_der(certificate).ok()?;
    let seconds = read.tbs_certificate.validity.not_after.to_unix_duration().as_secs();
    Some(clock::after(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds)))
}
