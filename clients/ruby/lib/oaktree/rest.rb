# A cloud's own API, for what oaktree lacks, by net/http.

require "net/http"
require "uri"
require "oaktree/v1/cloud_services_pb"

module Oaktree
  # An HTTP client of one service of one cloud. Paths are below the root of its API, and every request has a valid token.
  #
  # The token goes to the API's own scheme, host and port only: a redirect to another one is followed without it. Redirects are followed for
  # GET and HEAD; of other methods the answer is the redirect itself.
  class Rest
    # Tokens are renewed so many seconds before they end, for clocks that differ and requests that take time.
    MARGIN = 60
    MAX_REDIRECTS = 10
    # Headers that may contain secrets for one host only.
    SECRET_HEADERS = %w[authorization cookie x-auth-token x-service-token x-subject-token].freeze

    # clouds: a V1::CloudService::Stub. location: one cloud-region, V1::Location. service: the service type, "compute" or "image".
    def initialize(clouds, location, service)
      @clouds = clouds
      @request = V1::GetRestInfoRequest.new(location: location, service: service)
      @mutex = Mutex.new
    end

    # The answer to a GET: a Net::HTTPResponse.
    def get(path, headers = {})
      request(Net::HTTP::Get, path, nil, headers)
    end

    # The answer to a request of a class of net/http, as Net::HTTP::Post; a Net::HTTPResponse.
    #
    # Raises ArgumentError for a URL instead of a path, and GRPC::BadStatus if the oaktree refuses to give the endpoint and token.
    def request(method, path, body = nil, headers = {})
      info = current
      root = URI(info.root_url)
      url = join(root, path)
      follows = method::METHOD == "GET" || method::METHOD == "HEAD"
      (MAX_REDIRECTS + 1).times do
        own = origin(url) == origin(root) ? info.headers.to_h.merge(headers) : without_secrets(headers, info)
        response = exchange(method, url, body, own)
        return response unless follows && response.is_a?(Net::HTTPRedirection) && response["location"]

        url = URI.join(url, response["location"])
        raise ArgumentError, "a redirect led to a URL that is not HTTP" unless url.is_a?(URI::HTTP)
      end
      raise IOError, "more than #{MAX_REDIRECTS} redirects"
    end

    private

    def current
      @mutex.synchronize do
        ends = @info&.expires_at
        @info = nil if ends && ends.seconds - MARGIN <= Time.now.to_i
        @info ||= @clouds.get_rest_info(@request)
      end
    end

    def join(root, path)
      raise ArgumentError, "give a path below the API's root, not a URL" if path.match?(/\A[a-z][a-z0-9+.-]*:/i)

      URI("#{root.to_s.chomp('/')}/#{path.sub(%r{\A/+}, '')}")
    end

    def origin(url)
      [url.scheme, url.host.downcase, url.port]
    end

    # The caller's own headers, as another host may see them.
    def without_secrets(headers, info)
      secret = SECRET_HEADERS + info.headers.to_h.keys.map(&:downcase)
      headers.reject { |name, _| secret.include?(name.to_s.downcase) }
    end

    def exchange(method, url, body, headers)
      request = method.new(url, headers)
      request.body = body if body
      Net::HTTP.start(url.hostname, url.port, use_ssl: url.scheme == "https") { |http| http.request(request) }
    end
  end
end
