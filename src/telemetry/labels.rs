//! Labels of Damper's own metrics. Values come from the settings, from definitions in force and from
//! fixed words, so their number is bounded.

use prometheus_client::encoding::EncodeLabelSet;

macro_rules! label_sets {
    ($($(#[$doc:meta])* $name:ident { $($field:ident),* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
        pub struct $name {
            $(#[doc = concat!("`", stringify!($field), "`")] pub $field: String,)*
        }

        impl $name {
            /// From its values, in the order of the fields.
            pub fn new($($field: impl Into<String>),*) -> Self {
                Self { $($field: $field.into()),* }
            }
        }
    )*};
}

/// No label: a family of this has one series, once there is something to tell.
pub type NoLabels = [(&'static str, &'static str); 0];

label_sets! {
    /// `{source}`
    SourceLabels { source }
    /// `{source,outcome}`
    QueryLabels { source, outcome }
    /// `{receiver}`
    ReceiverLabels { receiver }
    /// `{receiver,outcome}`
    DeliveryLabels { receiver, outcome }
    /// `{severity}`
    SeverityLabels { severity }
    /// `{kind}`
    KindLabels { kind }
    /// `{version}`
    VersionLabels { version }
    /// `{service,slo}`
    SloLabels { service, slo }
    /// `{outcome}`
    OutcomeLabels { outcome }
    /// `{policy}`
    PolicyLabels { policy }
    /// `{policy,code}`
    VerdictLabels { policy, code }
    /// `{policy,of}`
    ReplicasLabels { policy, of }
    /// `{service,slo,window}`
    WindowLabels { service, slo, window }
}
