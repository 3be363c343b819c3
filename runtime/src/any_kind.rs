//! What the machinery of watches asks of a type whose objects are of a kind that is known only at run time.

/// Makes a type with a field `metadata` a resource of whatever kind it is asked for. `kube`'s own type for that holds the whole object; ours hold what they need.
#[macro_export]
macro_rules! resource_of_any_kind {
    ($object:ty) => {
        impl ::kube::Resource for $object {
            type DynamicType = ::kube::core::ApiResource;
            type Scope = ::kube::core::DynamicResourceScope;

            fn kind(of: &::kube::core::ApiResource) -> ::std::borrow::Cow<'_, str> {
                of.kind.as_str().into()
            }

            fn group(of: &::kube::core::ApiResource) -> ::std::borrow::Cow<'_, str> {
                of.group.as_str().into()
            }

            fn version(of: &::kube::core::ApiResource) -> ::std::borrow::Cow<'_, str> {
                of.version.as_str().into()
            }

            fn plural(of: &::kube::core::ApiResource) -> ::std::borrow::Cow<'_, str> {
                of.plural.as_str().into()
            }

            fn meta(&self) -> &::kube::core::ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ::kube::core::ObjectMeta {
                &mut self.metadata
            }
        }
    };
}
