package org.openstackoid.oaktree;

import io.grpc.Channel;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.openstackoid.oaktree.v1.CloudServiceGrpc;
import org.openstackoid.oaktree.v1.GetRestInfoRequest;
import org.openstackoid.oaktree.v1.GetRestInfoResponse;
import org.openstackoid.oaktree.v1.Location;

/**
 * An HTTP client of one service of one cloud, for what oaktree lacks: paths are below the root of the service's API, and every request has a
 * valid token.
 *
 * <p>The token goes to the API's own scheme, host and port only: a redirect to another one is followed without it. Redirects are followed for
 * GET and HEAD; of other methods the answer is the redirect itself.
 */
public final class Rest {
  // Tokens are renewed so many seconds before they end, for clocks that differ and requests that take time.
  private static final long MARGIN = 60;
  private static final int MAX_REDIRECTS = 10;
  // Headers that may contain secrets for one host only.
  private static final List<String> SECRET_HEADERS =
      List.of("authorization", "cookie", "x-auth-token", "x-service-token", "x-subject-token");

  private final HttpClient http = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NEVER).build();
  private final CloudServiceGrpc.CloudServiceBlockingStub clouds;
  private final GetRestInfoRequest request;
  private GetRestInfoResponse info;

  /**
   * Nothing is asked before the first request.
   *
   * @param clouds the oaktree that has the cloud; give credentials with the stub.
   * @param location one cloud-region.
   * @param service the service type: "compute", "image".
   */
  public Rest(CloudServiceGrpc.CloudServiceBlockingStub clouds, Location location, String service) {
    this.clouds = clouds;
    this.request = GetRestInfoRequest.newBuilder().setLocation(location).setService(service).build();
  }

  /** As above, for a channel whose calls need no credentials, or have them already. */
  public Rest(Channel channel, Location location, String service) {
    this(CloudServiceGrpc.newBlockingStub(channel), location, service);
  }

  /** The answer to a GET, as text. */
  public HttpResponse<String> get(String path) throws IOException, InterruptedException {
    return send(path, HttpRequest.newBuilder(), BodyHandlers.ofString());
  }

  /**
   * The answer to a request.
   *
   * @param path below the API's root, as "servers/detail".
   * @param builder the method, the body and headers; its URI is set here.
   * @param handler of the answer's body.
   * @throws IllegalArgumentException a URL instead of a path.
   * @throws io.grpc.StatusRuntimeException the oaktree refuses to give the endpoint and token.
   */
  public <T> HttpResponse<T> send(String path, HttpRequest.Builder builder, BodyHandler<T> handler)
      throws IOException, InterruptedException {
    GetRestInfoResponse current = current();
    URI root = URI.create(current.getRootUrl());
    URI uri = join(root, path);
    for (int redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      HttpResponse<T> response = http.send(prepare(builder.copy().uri(uri).build(), current, root), handler);
      String next = response.headers().firstValue("Location").orElse(null);
      String method = response.request().method();
      boolean follows = method.equals("GET") || method.equals("HEAD");
      if (!follows || next == null || !Set.of(301, 302, 303, 307, 308).contains(response.statusCode())) {
        return response;
      }
      uri = uri.resolve(next);
    }
    throw new IOException("more than " + MAX_REDIRECTS + " redirects");
  }

  private synchronized GetRestInfoResponse current() {
    if (info == null || (info.hasExpiresAt() && info.getExpiresAt().getSeconds() - MARGIN <= Instant.now().getEpochSecond())) {
      info = clouds.getRestInfo(request);
    }
    return info;
  }

  private static URI join(URI root, String path) {
    if (path.matches("(?i)[a-z][a-z0-9+.-]*:.*")) {
      throw new IllegalArgumentException("give a path below the API's root, not a URL");
    }
    return URI.create(root.toString().replaceAll("/+$", "") + "/" + path.replaceAll("^/+", ""));
  }

  private static HttpRequest prepare(HttpRequest given, GetRestInfoResponse info, URI root) {
    HttpRequest.Builder prepared = HttpRequest.newBuilder(given.uri());
    prepared.method(given.method(), given.bodyPublisher().orElse(HttpRequest.BodyPublishers.noBody()));
    given.timeout().ifPresent(prepared::timeout);
    given.version().ifPresent(prepared::version);
    boolean atHome = origin(given.uri()).equals(origin(root));
    Set<String> dropped = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    if (!atHome) {
      dropped.addAll(SECRET_HEADERS);
      dropped.addAll(info.getHeadersMap().keySet());
    }
    given.headers().map().forEach((name, values) -> {
      if (!dropped.contains(name)) {
        values.forEach(value -> prepared.header(name, value));
      }
    });
    if (atHome) {
      info.getHeadersMap().forEach((name, value) -> {
        if (given.headers().firstValue(name).isEmpty()) {
          prepared.header(name, value);
        }
      });
    }
    return prepared.build();
  }

  private static String origin(URI uri) {
    String scheme = uri.getScheme().toLowerCase(Locale.ROOT);
    int port = uri.getPort() != -1 ? uri.getPort() : scheme.equals("https") ? 443 : 80;
    return scheme + "://" + uri.getHost().toLowerCase(Locale.ROOT) + ":" + port;
  }
}
