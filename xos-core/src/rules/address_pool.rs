//! Addresses of a pool that are given as a network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use xos_model_client::Value;

use crate::store::{Db, Draft, Outcome};

/// More addresses than these are certainly a mistake, and would be a text of megabytes.
const MOST: u128 = 65_536;

/// A network such as `10.0.0.0/24` becomes the list of its addresses, without the first two and the last one; it is
/// kept in `cidr` when that was empty.
pub(super) fn expand(draft: &mut Draft<'_>, db: &Db, addresses: usize, cidr: usize) -> Outcome<()> {
    let Some(Value::Text(text)) = draft.get(addresses) else { return Ok(()) };
    if !text.contains('/') {
        return Ok(());
    }
    let text = text.trim().to_owned();
    match hosts(&text) {
        Ok(hosts) => {
            draft.put(addresses, Value::Text(hosts));
            let kept = draft.value(db, cidr)?;
            if kept.as_text().is_none_or(str::is_empty) {
                draft.put(cidr, Value::Text(text));
            }
        }
        Err(problem) => draft.fault(addresses, problem),
    }
    Ok(())
}

fn hosts(network: &str) -> Result<String, String> {
    let wrong =
        || "expected one network such as 10.0.0.0/24, or a list of addresses without \"/\"".to_owned();
    let (address, length) = network.split_once('/').ok_or_else(wrong)?;
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let length: u32 = length.parse().map_err(|_| wrong())?;
    let (bits, start) = match address {
        IpAddr::V4(v4) => (32, u128::from(u32::from(v4))),
        IpAddr::V6(v6) => (128, u128::from(v6)),
    };
    let free = bits - u32::min(length, bits);
    if length > bits {
        return Err(wrong());
    }
    let count = 1_u128
        .checked_shl(free)
        .filter(|count| *count <= MOST)
        .ok_or_else(|| format!("a pool has at most {MOST} addresses; give a network with a longer prefix"))?;
    let first = start & !(count - 1);
    let all = (2..count.saturating_sub(1)).map(|offset| match address {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::from((first + offset) as u32)),
        IpAddr::V6(_) => IpAddr::from(Ipv6Addr::from(first + offset)),
    });
    Ok(all.map(|address| address.to_string()).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::hosts;

    #[test]
    fn a_network_is_its_hosts_without_the_first_two_and_the_last() {
        assert_eq!(hosts("10.0.0.8/29").unwrap(), "10.0.0.10 10.0.0.11 10.0.0.12 10.0.0.13 10.0.0.14");
        assert_eq!(hosts("10.0.0.9/30").unwrap(), "10.0.0.10");
        assert_eq!(hosts("10.0.0.9/32").unwrap(), "");
        assert_eq!(hosts("fd00::/125").unwrap(), "fd00::2 fd00::3 fd00::4 fd00::5 fd00::6");
    }

    #[test]
    fn a_network_that_is_none_or_too_large_says_so() {
        for bad in ["10.0.0.0/33", "10.0.0/24", "10.0.0.0/x", "/"] {
            assert!(hosts(bad).unwrap_err().contains("such as"), "{bad}");
        }
        assert!(hosts("10.0.0.0/8").unwrap_err().contains("longer prefix"));
        assert!(hosts("fd00::/0").unwrap_err().contains("longer prefix"));
    }
}
