"""Headers that do not cross to another owner's cloud: credentials of every kind, and what tells who and where the user is.

Written for Python and for HAProxy (PCRE2) alike, for names in lower case with dashes.
"""

from typing import Final

# The identity headers are those that keystonemiddleware sets for a service (auth_token/_request.py); no client has to send them.
PRIVATE: Final = (
    "^(?:authorization|cookie2?|from|referer|via|forwarded|origin|x-forwarded-.*|.*-forwarded-for|remote-.*|x-remote-.*"
    "|(?:.*-)?(?:client|real|remote|connecting|originating|proxyuser|external|user)-?(?:ip|addr|address|host|port|identity|cert|dn)"
    "|x-auth-.*|x-subject-token|x-service-.*|x-storage-(?:token|user|pass)"
    "|x-(?:identity|user|project|tenant|domain|roles?|role-ids|is-admin-project|openstack-system|system|catalog|trust|trace)(?:-.*)?)$"
)
