// A request on its way from the input to its result.
#pragma once

#include "dspu/body_store.hpp"
#include "dspu/core/duration.hpp"
#include "dspu/core/retry_machine.hpp"
#include "dspu/record.hpp"
#include "dspu/request_source.hpp"
#include "dspu/request_url.hpp"
#include "dspu/wait_ledger.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dspu::app {

struct job {
  job(input_item item, const core::retry_plan& plan, core::instant now)
      : n(item.n),
        id(std::move(item.id)),
        request(std::move(item.request)),
        asked(std::move(item.asked)),
        meta(std::move(item.meta)),
        origin(origin_name(request.url)),
        weight(sizeof(job) + request.url.size() + request.body.size() + meta.size()),
        retry(plan),
        read_at(now) {}

  // For results and people.
  const std::string& asked_url() const { return asked.empty() ? original().url : asked; }
  const http_request& original() const { return first_request ? *first_request : request; }
  // Of the origin: "host", or "host:port".
  std::string_view host() const { return std::string_view(origin).substr(origin.find("//") + 2); }

  // From now on it asks for that. Throws: std::invalid_argument, and is as it was.
  void redirect_to(http_request following) {
    origin = origin_name(following.url);
    if (!first_request) first_request = std::make_unique<http_request>(std::move(request));
    request = std::move(following);
  }

  std::uint64_t n;
  std::string id;
  http_request request;                         // as it goes out next
  std::string asked;                            // its URL as it came in, if that is not the request's
  std::string meta;                             // JSON that comes back in the result
  std::string origin;                           // to whom, as origin::to_string() says it
  std::unique_ptr<http_request> first_request;  // as it came in, once a redirect has changed it
  std::size_t weight;                           // roughly what it took in memory when it was read
  core::retry_machine retry;
  unsigned redirects = 0;

  core::instant read_at;
  std::optional<core::instant> started_at;        // of the first attempt
  core::instant deadline = core::instant::max();  // set when it starts; anew after a refusal for load
  std::vector<attempt_record> attempts;
  std::unique_ptr<kept_body> begun_body;  // the beginning of one that broke off
  std::uint64_t furthest = 0;             // how much of one there has been
  core::duration limiter_wait{};
  std::vector<recorded_header> headers{};  // of the last answer, with --include-headers
  unsigned status = 0;         // of the last answer
  std::uint64_t bytes = 0;     // of a last body that did not come whole
  bool retry_refused = false;  // by its origin's retry budget
  bool is_retry = false;       // the attempt that is due repeats one that failed
  std::uint32_t refusals = 0;  // for load, while others were admitted; these attempts do not count
  std::uint64_t admitted_at_refusal = 0;  // by its origin, when it was last refused
  std::optional<core::instant>
      withdrawn;  // when that was charged to its origin's retry budget; until it goes

  // The scheduler's own notes.
  core::instant not_before = core::instant::min();  // backoff
  core::instant queued_at{};
  wait_totals origin_waits_before;
  std::uint64_t ticket = 0;
};

using job_ptr = std::unique_ptr<job>;

}  // namespace dspu::app
