//! How a process tells what it does: the format of its log, and where its spans go.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use url::Url;

use super::{
    problems::SettingError,
    values::{http_url, is_loopback},
};
use crate::{
    outgoing::OutgoingProxy,
    telemetry::{ExportHeaders, ExportSettings, LogFormat},
};

/// `text` or `json`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormatArgument {
    /// Lines for people.
    Text,
    /// One object a line, for machines.
    Json,
}

impl From<LogFormatArgument> for LogFormat {
    fn from(argument: LogFormatArgument) -> Self {
        match argument {
            LogFormatArgument::Text => Self::Text,
            LogFormatArgument::Json => Self::Json,
        }
    }
}

/// The settings of the export of spans.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Metrics, logs and traces")]
pub(crate) struct ExportArguments {
    /// The collector to which spans are exported, by OTLP over HTTP (`http/protobuf`): `http://collector:4318`. The service appends
    /// `/v1/traces` [default: none].
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_parser = http_url)]
    otel_exporter_otlp_endpoint: Option<Url>,
    /// Headers of each batch, separated by commas: `NAME=VALUE`, percent-encoded where necessary [default: none].
    #[arg(long, env = "OTEL_EXPORTER_OTLP_HEADERS", hide_env_values = true)]
    otel_exporter_otlp_headers: Option<Headers>,
    /// The name of the service in exported spans.
    #[arg(long, env = "OTEL_SERVICE_NAME", default_value = "countersign")]
    otel_service_name: String,
    /// The share of the traces beginning here that is exported, from 0 to 1. A caller's `traceparent` decides about its own trace.
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", default_value_t = 1.0, value_parser = ratio)]
    otel_traces_sampler_arg: f64,
}

impl ExportArguments {
    pub(super) fn check(&self, proxy: OutgoingProxy) -> Result<Option<ExportSettings>, SettingError> {
        let Some(endpoint) = self.otel_exporter_otlp_endpoint.clone() else { return Ok(None) };
        if !endpoint.username().is_empty() || endpoint.password().is_some() {
            let problem = "must be without a user; put secrets in OTEL_EXPORTER_OTLP_HEADERS";
            return Err(SettingError::new("OTEL_EXPORTER_OTLP_ENDPOINT", problem));
        }
        let headers = self.otel_exporter_otlp_headers.clone();
        Ok(Some(ExportSettings {
            service_name: self.otel_service_name.clone(),
            endpoint,
            headers: headers.map_or_else(ExportHeaders::default, |headers| headers.0),
            proxy,
            sample_ratio: self.otel_traces_sampler_arg,
        }))
    }
}

/// Whether others on the way to the collector can read what is said to it, which may hold a key.
pub(crate) fn are_headers_in_the_clear(export: &ExportSettings) -> bool {
    let ExportSettings { endpoint, headers, .. } = export;
    !headers.0.is_empty() && endpoint.scheme() != "https" && !is_loopback(endpoint)
}

/// `NAME=VALUE,NAME=VALUE`.
#[derive(Clone, Debug)]
struct Headers(ExportHeaders);

impl FromStr for Headers {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut headers = HeaderMap::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or("must be like `NAME=VALUE,NAME=VALUE`")?;
            let name: HeaderName = name.trim().parse().map_err(|_| "holds a name that no header can have")?;
            let value: Vec<u8> = percent_decode_str(value.trim()).collect();
            let mut value =
                HeaderValue::from_bytes(&value).map_err(|_| "holds a value that no header can have")?;
            value.set_sensitive(true);
            if headers.insert(name, value).is_some() {
                return Err("names a header twice");
            }
        }
        Ok(Self(ExportHeaders(headers)))
    }
}

fn ratio(text: &str) -> Result<f64, &'static str> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or("must be a number from 0 to 1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_decoded_and_hidden() {
        let headers: Headers = "authorization=Basic%20c2VjcmV0 , x-tenant=a".parse().unwrap();
        assert_eq!(headers.0.0["authorization"], "Basic c2VjcmV0");
        assert_eq!(headers.0.0["x-tenant"], "a");
        assert_eq!(format!("{headers:?}"), "Headers(2 headers)");
        assert!("".parse::<Headers>().unwrap().0.0.is_empty());
        for wrong in ["authorization", "a b=c", "a=b%0d%0ac", "a=1,A=2"] {
            assert!(wrong.parse::<Headers>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn headers_are_in_the_clear_where_http_leaves_this_machine() {
        let are_in_the_clear = |endpoint: &str, headers: &str| {
            let (endpoint, Headers(headers)) = (http_url(endpoint).unwrap(), headers.parse().unwrap());
            are_headers_in_the_clear(&ExportSettings {
                service_name: String::new(),
                endpoint,
                headers,
                proxy: OutgoingProxy::default(),
                sample_ratio: 1.0,
            })
        };
        assert!(are_in_the_clear("http://collector:4318", "authorization=a"));
        assert!(!are_in_the_clear("http://collector:4318", ""));
        assert!(!are_in_the_clear("https://collector:4318", "authorization=a"));
        assert!(!are_in_the_clear("http://localhost:4318", "authorization=a"));
    }

    #[test]
    fn a_ratio_is_a_share() {
        assert_eq!((ratio("0"), ratio("0.25"), ratio("1")), (Ok(0.0), Ok(0.25), Ok(1.0)));
        for wrong in ["", "-0.1", "1.1", "NaN", "all"] {
            assert!(ratio(wrong).is_err(), "{wrong}");
        }
    }
}
