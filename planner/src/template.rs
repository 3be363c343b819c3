//! What a version is: the content hash of a pod template.
