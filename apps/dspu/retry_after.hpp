// How long a response asks to wait before the next request, in the forms that servers use for it:
//
//   Retry-After: 120                              whole seconds                     RFC 9110, 10.2.3
//   Retry-After: Sun, 06 Nov 1994 08:49:37 GMT    a date, in three forms            RFC 9110, 10.2.3
//   Retry-After: 0.493                            seconds with a fraction           Shopify (2.0)
//   Retry-After: 1m0s                             a duration as Go prints it        gateways written in Go
//   Retry-After-Ms: 493                           milliseconds                      OpenAI, Azure OpenAI
//   X-Ms-Retry-After-Ms: 493                      milliseconds                      Azure Cosmos DB
#pragma once

#include "dspu/transport.hpp"

#include <chrono>
#include <optional>

namespace dspu::app {

// The first of the list's headers that is there and can be read; milliseconds go before seconds, because servers that
// send both round the seconds. A date is measured against the response's own Date header, so that a wrong clock
// on either side does no harm; `now` stands in for a Date that is absent or unreadable. A date that has passed
// is a wait of 0. What is negative or unreadable, or given twice with different values, is no request at all.
// A value too large to count is longest_wait (header_value.hpp).
std::optional<std::chrono::nanoseconds> retry_after(const header_list& headers,
                                                    std::chrono::system_clock::time_point now);

}  // namespace dspu::app
