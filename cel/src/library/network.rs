//! IP addresses and networks.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::{Overload, Takes, global, member};
use crate::{
    eval::{Raised, Scope},
    value::Value,
};

type Answer<'a> = Result<Value<'a>, Raised>;

pub(super) const TABLE: &[Overload] = &[
    global("ip", &[Takes::String], Takes::Ip, 30, ip),
    global("isIP", &[Takes::String], Takes::Bool, 30, is_ip),
    global(
        "ip.isCanonical",
        &[Takes::String],
        Takes::Bool,
        30,
        is_canonical,
    ),
    member("family", &[Takes::Ip], Takes::Int, 30, family),
    member("isUnspecified", &[Takes::Ip], Takes::Bool, 30, |_, args| {
        asked(args, IpAddr::is_unspecified)
    }),
    member("isLoopback", &[Takes::Ip], Takes::Bool, 30, |_, args| {
        asked(args, IpAddr::is_loopback)
    }),
    member(
        "isLinkLocalMulticast",
        &[Takes::Ip],
        Takes::Bool,
        30,
        |_, args| asked(args, link_local_multicast),
    ),
    member(
        "isLinkLocalUnicast",
        &[Takes::Ip],
        Takes::Bool,
        30,
        |_, args| asked(args, link_local_unicast),
    ),
    member(
        "isGlobalUnicast",
        &[Takes::Ip],
        Takes::Bool,
        30,
        |_, args| asked(args, global_unicast),
    ),
    global("cidr", &[Takes::String], Takes::Cidr, 30, cidr),
    global("isCIDR", &[Takes::String], Takes::Bool, 30, is_cidr),
    member(
        "containsIP",
        &[Takes::Cidr, Takes::Ip],
        Takes::Bool,
        30,
        contains_ip,
    ),
    member(
        "containsIP",
        &[Takes::Cidr, Takes::String],
        Takes::Bool,
        30,
        contains_ip,
    ),
    member(
        "containsCIDR",
        &[Takes::Cidr, Takes::Cidr],
        Takes::Bool,
        30,
        contains_cidr,
    ),
    member(
        "containsCIDR",
        &[Takes::Cidr, Takes::String],
        Takes::Bool,
        30,
        contains_cidr,
    ),
    member("ip", &[Takes::Cidr], Takes::Ip, 30, |_, args| {
        of_network(args, |net| Value::Ip(net.addr()))
    }),
    member("masked", &[Takes::Cidr], Takes::Cidr, 30, |_, args| {
        of_network(args, |net| Value::Cidr(net.trunc()))
    }),
    member("prefixLength", &[Takes::Cidr], Takes::Int, 30, |_, args| {
        of_network(args, |net| Value::Int(i64::from(net.prefix_len())))
    }),
];

/// An address without a zone; one of IPv4 inside IPv6 is refused, as the API server does.
pub(super) fn address(text: &str) -> Result<IpAddr, Raised> {
    let told = |why: &str| {
        let text: String = text.chars().take(60).collect();
        Raised::Failed(format!("IP address {text:?} {why}"))
    };
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => {
            Err(told("is IPv4 inside IPv6, which is not allowed"))
        }
        Ok(address) => Ok(address),
        Err(_) => Err(told("cannot be read")),
    }
}

pub(super) fn network(text: &str) -> Result<IpNet, Raised> {
    let told = || {
        let text: String = text.chars().take(60).collect();
        Raised::Failed(format!("network {text:?} cannot be read"))
    };
    // a prefix with a leading zero or sign is none
    let prefix = text
        .rsplit_once('/')
        .map(|(_, prefix)| prefix)
        .ok_or_else(told)?;
    if prefix.len() > 1 && !prefix.starts_with(|c: char| matches!(c, '1'..='9')) {
        return Err(told());
    }
    let network: IpNet = text.parse().map_err(|_| told())?;
    match network.addr() {
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => Err(told()),
        _ => Ok(network),
    }
}

fn text<'a>(name: &str, args: &[Value<'a>]) -> Result<&'a str, Raised> {
    match args {
        [Value::Str(text)] => Ok(text),
        _ => Err(Raised::overload(name, args)),
    }
}

fn ip<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    address(text("ip", args)?).map(Value::Ip)
}

fn is_ip<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    text("isIP", args).map(|text| Value::Bool(address(text).is_ok()))
}

fn is_canonical<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let text = text("ip.isCanonical", args)?;
    address(text).map(|address| Value::Bool(address.to_string() == text))
}

fn cidr<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    network(text("cidr", args)?).map(Value::Cidr)
}

fn is_cidr<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    text("isCIDR", args).map(|text| Value::Bool(network(text).is_ok()))
}

fn family<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    match args {
        [Value::Ip(IpAddr::V4(_))] => Ok(Value::Int(4)),
        [Value::Ip(IpAddr::V6(_))] => Ok(Value::Int(6)),
        _ => Err(Raised::overload("family", args)),
    }
}

fn asked<'a>(args: &[Value<'a>], ask: impl Fn(&IpAddr) -> bool) -> Answer<'a> {
    match args {
        [Value::Ip(address)] => Ok(Value::Bool(ask(address))),
        _ => Err(Raised::failed("no such overload")),
    }
}

fn link_local_multicast(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[..3] == [224, 0, 0],
        IpAddr::V6(address) => address.segments()[0] & 0xff0f == 0xff02,
    }
}

fn link_local_unicast(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.segments()[0] & 0xffc0 == 0xfe80,
    }
}

/// As Go has it: private addresses are global unicast too.
fn global_unicast(address: &IpAddr) -> bool {
    !(address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || link_local_unicast(address)
        || *address == IpAddr::V4(Ipv4Addr::BROADCAST))
}

fn contains_ip<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let (net, wanted) = match args {
        [Value::Cidr(net), Value::Ip(wanted)] => (net, *wanted),
        [Value::Cidr(net), Value::Str(text)] => (net, address(text)?),
        _ => return Err(Raised::overload("containsIP", args)),
    };
    Ok(Value::Bool(net.contains(&wanted)))
}

fn contains_cidr<'a>(_: &Scope<'a>, args: &[Value<'a>]) -> Answer<'a> {
    let (net, wanted) = match args {
        [Value::Cidr(net), Value::Cidr(wanted)] => (net, *wanted),
        [Value::Cidr(net), Value::Str(text)] => (net, network(text)?),
        _ => return Err(Raised::overload("containsCIDR", args)),
    };
    Ok(Value::Bool(
        net.contains(&wanted.network()) && net.prefix_len() <= wanted.prefix_len(),
    ))
}

fn of_network<'a>(args: &[Value<'a>], of: impl Fn(&IpNet) -> Value<'a>) -> Answer<'a> {
    match args {
        [Value::Cidr(net)] => Ok(of(net)),
        _ => Err(Raised::failed("no such overload")),
    }
}
