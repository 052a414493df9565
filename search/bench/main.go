package main

import (
	"context"
	"fmt"
	"os"
)

func main() {
	if err := train(context.Background(), os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
