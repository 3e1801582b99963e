# protoc-c 1.4 knows no proto3 `optional`; such a field is by definition the only member of a oneof.
# proto2's `optional` stays as it is.
/syntax = "proto2"/,$b
s/^  optional (\S+) (\w+) = ([0-9]+);/  oneof has_\2 { \1 \2 = \3; }/
