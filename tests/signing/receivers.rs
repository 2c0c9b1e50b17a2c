//! Receivers in other languages verify what arrives with the libraries of Standard Webhooks, and `sha256=` by hand.

use super::{secret_of, signed_requests};
use crate::harness::{both_modes, verifiers};

both_modes! {
    async fn receivers_in_python_and_node_verify_every_attempt(setup: Setup) {
        let world = setup.await;
        let (secrets, requests) = signed_requests(&world).await;
        let file = verifiers::write_requests(requests.iter().map(|request| (secret_of(&secrets, request), &**request)));
        let wanted = format!("verified {}\n", requests.len());
        assert_eq!(verifiers::python("verify.py", &[&file]).await, wanted);
        assert_eq!(verifiers::node("verify.cjs", &[&file]).await, wanted);
    }
}
