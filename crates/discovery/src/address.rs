use std::str::FromStr;

use crate::Error;

/// Where components are to be found, in the forms of Thanos' flags.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// `host:port`, used as it is.
    Static(String),
    /// `dns+host:port`: one address for each A and AAAA record.
    Dns { host: String, port: u16 },
    /// `dnssrv+_service._proto.name[:port]`: the targets of the SRV records, each looked up to its
    /// addresses. A port given here stands in for those of the records.
    Srv { name: String, port: Option<u16> },
    /// `dnssrvnoa+_service._proto.name[:port]`: the targets of the SRV records as they are.
    SrvNoA { name: String, port: Option<u16> },
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = |why| Error::Malformed { address: text.to_owned(), why };
        let Some((kind, name)) = text.split_once('+') else {
            return match split_port(text) {
                Some((host, Some(_))) if !host.is_empty() => Ok(Self::Static(text.to_owned())),
                Some((_, Some(_))) => Err(malformed("the host is missing")),
                Some((_, None)) => Err(malformed("the port is missing, as in host:10901")),
                None => Err(malformed("the port is not a number from 1 to 65535")),
            };
        };
        let (host, port) = split_port(name).ok_or_else(|| malformed("the port is not a number from 1 to 65535"))?;
        if host.is_empty() {
            return Err(malformed("the name to look up is missing"));
        }
        let name = host.to_owned();
        match kind {
            "dns" | "dnsdualstack" => match port {
                Some(port) => Ok(Self::Dns { host: name, port }),
                None => Err(malformed("the port is missing, as in dns+host:10901")),
            },
            "dnssrv" => Ok(Self::Srv { name, port }),
            "dnssrvnoa" => Ok(Self::SrvNoA { name, port }),
            _ => Err(malformed("unknown kind before '+'; known are dns, dnssrv, dnssrvnoa")),
        }
    }
}

/// Splits `host[:port]`, `[v6][:port]`; `None` where the port is no port.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[').and_then(|t| t.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':')?)),
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    match port {
        None => Some((host, None)),
        Some(port) => port.parse().ok().filter(|p| *p > 0).map(|p| (host, Some(p))),
    }
}

#[cfg(test)]
mod tests;
