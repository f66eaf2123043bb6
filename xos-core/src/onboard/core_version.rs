//! Whether this core is of the version that a service asks for.

use xos_model_client::CoreVersion;

use crate::CORE_VERSION;
use crate::onboard::refused;
use crate::store::Outcome;

/// Checks an expression such as `>=4.0.0`, or two with `~` between them. None means: any core from 2.2.1 on.
pub(super) fn check(service: &str, wanted: Option<&str>) -> Outcome<()> {
    let wanted = wanted.map(str::trim).filter(|wanted| !wanted.is_empty()).unwrap_or(">=2.2.1");
    let told = |problem: String| refused(service, format!("cannot be loaded: {problem}"));
    let wanted: CoreVersion = wanted.parse().map_err(told)?;
    if wanted.is_met_by(CORE_VERSION) {
        return Ok(());
    }
    Err(told(format!(
        "Service {service} is requesting core version {wanted} but actual version is {CORE_VERSION}"
    )))
}
