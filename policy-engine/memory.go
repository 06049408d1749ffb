package main

import (
	"fmt"
	"os"
	"runtime/metrics"
	"time"
)

// Bytes of data that a policy may make.
const mostMemory = 512 << 20

// A policy that makes endless data ends this program, not the worker. The system's own limits count what Go reserves and
// never uses, so the heap is looked at instead.
func limitMemory() {
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	for ; ; time.Sleep(10 * time.Millisecond) {
		metrics.Read(heap)
		if heap[0].Value.Uint64() > mostMemory {
			fmt.Fprintf(os.Stderr, "the policy uses more than %d MB of memory\n", mostMemory>>20)
			os.Exit(3)
		}
	}
}
