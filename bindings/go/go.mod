module tinyci

go 1.19
