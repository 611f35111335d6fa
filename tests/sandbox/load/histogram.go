package load

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets that are at most 1/32 wide of what they
// hold, from a microsecond to more than an hour, in 8 KiB.
type histogram struct {
	counts [32 * 32]int64
	total  int64
	max    time.Duration
}

const subBuckets = 32

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(d)]++
	h.total++
	h.max = max(h.max, d)
}

// bucket returns the index for d. The first 32 buckets are a microsecond wide;
// from there on each doubling of d has 32 buckets of its own.
func bucket(d time.Duration) int {
	us := uint64(d / time.Microsecond)
	if us < subBuckets {
		return int(us)
	}
	shift := bits.Len64(us) - 6 // leaves a number of 6 bits, the first of them 1
	return min((shift+1)*subBuckets+int(us>>shift)-subBuckets, subBuckets*subBuckets-1)
}

// upper returns the end of a bucket.
func upper(i int) time.Duration {
	if i < subBuckets {
		return time.Duration(i+1) * time.Microsecond
	}
	shift := i/subBuckets - 1
	return time.Duration(uint64(i%subBuckets+subBuckets+1)<<shift) * time.Microsecond
}

// quantile returns a duration that a share q of those added do not exceed, at
// most 1/32 too long; 0 when nothing was added.
func (h *histogram) quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := int64(q * float64(h.total-1))
	for i, n := range h.counts {
		rank -= n
		if rank < 0 && i < len(h.counts)-1 {
			return min(upper(i), h.max)
		}
	}
	return h.max // the last bucket has no end
}
