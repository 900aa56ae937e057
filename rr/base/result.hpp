// Result<T, E>: the value or the typed consequence of bad input. Decoders return it, never throw.
#pragma once
#include <expected>

namespace helio {

template <class T, class E>
using Result = std::expected<T, E>;

template <class E>
using Unexpected = std::unexpected<E>;

}  // namespace helio
