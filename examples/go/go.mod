module tinyci-examples

go 1.19

require tinyci v0.0.0

replace tinyci => ../../bindings/go
