//! `ExportTraceServiceRequest` of OTLP 1 in protobuf: the fields that we set, by the numbers that `opentelemetry-proto` gives them.

use super::span::{Span, Value};
use crate::model::clock::Timestamp;

/// How a field is laid out: the lower three bits of its key.
const VARINT: u32 = 0;
const FIXED_64: u32 = 1;
const LENGTH: u32 = 2;
const FIXED_32: u32 = 5;

const STATUS_ERROR: u64 = 2;
const SCOPE: &str = "posthaste";

/// The request for these spans.
pub(super) fn request(resource: &[(&'static str, Value)], spans: &[Span]) -> Vec<u8> {
    let mut out = Writer(Vec::with_capacity(256 + spans.len() * 512));
    // resource_spans
    out.message(1, |out| {
        out.message(1, |out| out.attributes(1, resource));
        // scope_spans
        out.message(2, |out| {
            out.message(1, |out| {
                out.text(1, SCOPE);
                out.text(2, env!("CARGO_PKG_VERSION"));
            });
            for span in spans {
                out.message(2, |out| out.span(span));
            }
        });
    });
    out.0
}

struct Writer(Vec<u8>);

impl Writer {
    fn span(&mut self, span: &Span) {
        self.bytes(1, &span.place.trace_id.0);
        self.bytes(2, &span.place.span_id.0);
        if let Some(parent) = span.place.parent {
            self.bytes(4, &parent.0);
        }
        self.text(5, span.name);
        self.number(6, span.kind as u64);
        self.fixed_64(7, nanos(span.start));
        self.fixed_64(8, nanos(span.end));
        self.attributes(9, &span.attributes);
        if let Some(error) = &span.error {
            self.message(15, |out| {
                out.text(2, error);
                out.number(3, STATUS_ERROR);
            });
        }
        self.fixed_32(16, u32::from(span.place.flags));
    }

    /// Repeated `KeyValue`.
    fn attributes(&mut self, field: u32, attributes: &[(&'static str, Value)]) {
        for (name, value) in attributes {
            self.message(field, |out| {
                out.text(1, name);
                out.message(2, |out| match value {
                    Value::Literal(text) => out.text(1, text),
                    Value::Shared(text) => out.text(1, text),
                    Value::Text(text) => out.text(1, text),
                    Value::Flag(flag) => out.number(2, u64::from(*flag)),
                    Value::Number(number) => out.number(3, number.cast_unsigned()),
                });
            });
        }
    }

    /// A message within this one. Its length comes before it, and is known after it.
    fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.key(field, LENGTH);
        let start = self.0.len();
        write(self);
        let end = self.0.len();
        self.varint((end - start) as u64);
        let digits = self.0.len() - end;
        self.0[start..].rotate_right(digits);
    }

    fn text(&mut self, field: u32, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.key(field, LENGTH);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, field: u32, number: u64) {
        self.key(field, VARINT);
        self.varint(number);
    }

    fn fixed_64(&mut self, field: u32, number: u64) {
        self.key(field, FIXED_64);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn fixed_32(&mut self, field: u32, number: u32) {
        self.key(field, FIXED_32);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn key(&mut self, field: u32, layout: u32) {
        self.varint(u64::from(field << 3 | layout));
    }

    /// Seven bits a byte, the lowest first.
    fn varint(&mut self, mut number: u64) {
        while number > 0x7f {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }
}

fn nanos(at: Timestamp) -> u64 {
    at.timestamp_nanos_opt().and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protobuf's own examples (protobuf.dev, "Encoding").
    #[test]
    fn fields_are_laid_out_as_protobuf_has_them() {
        let written = |write: fn(&mut Writer)| {
            let mut out = Writer(Vec::new());
            write(&mut out);
            hex::encode(out.0)
        };
        assert_eq!(written(|out| out.number(1, 150)), "089601");
        assert_eq!(written(|out| out.text(2, "testing")), "120774657374696e67");
        assert_eq!(written(|out| out.message(3, |out| out.number(1, 150))), "1a03089601");
        assert_eq!(written(|out| out.fixed_32(16, 1)), "850101000000");
        assert_eq!(written(|out| out.number(3, (-2_i64).cast_unsigned())), "18feffffffffffffffff01");
    }

    #[test]
    fn a_message_may_be_long() {
        let mut out = Writer(Vec::new());
        out.message(1, |out| out.bytes(1, &[7; 300]));
        assert_eq!(hex::encode(&out.0[..6]), "0aaf020aac02");
        assert_eq!((out.0.len(), &out.0[6..]), (306, &[7; 300][..]));
    }
}
