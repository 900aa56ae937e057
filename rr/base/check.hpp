// HELIO_CHECK: a broken invariant of our own aborts in every build; HELIO_DCHECK only where asserts are on.
// Never for input from outside: that gets a Result.
#pragma once

namespace helio {
[[noreturn]] void check_failed(const char* condition, const char* file, int line, const char* message);
}

#define HELIO_CHECK(condition, message) \
  (__builtin_expect(!(condition), 0) ? ::helio::check_failed(#condition, __FILE__, __LINE__, message) : void(0))

#ifdef NDEBUG
#define HELIO_DCHECK(condition, message) void(0)
#else
#define HELIO_DCHECK(condition, message) HELIO_CHECK(condition, message)
#endif
