// jemalloc's settings of the daemon: pages are given back by a thread of its own, not in the middle of an insert (the
// longest single insert is 0.1-0.4 ms with it, 1.5-3 ms without), and within a fraction of a second, so that resident memory
// follows what is held.
#ifdef HELIO_HAVE_JEMALLOC
extern "C" const char* malloc_conf;
const char* malloc_conf = "background_thread:true,dirty_decay_ms:200,muzzy_decay_ms:0";
#endif
