"""What strangers send to a service: names that lead out of a folder, text that a page might take for markup."""

UPS = ("..", "%2e%2e", "..%2f", "%2e%2e%2f", "..%5c", "....//", "%252e%252e%252f", "..%c0%af", "..;", "%uff0e%uff0e")
MARKUP = [
    f"{quote}{head}{tail}"
    for quote in ("", '"', "'>", "</b></script>", "${")
    for head, tail in (
        ("<img src=x onerror=alert(1)>", ""),
        ("<script>alert(1)</script>", ""),
        ("<svg onload=alert(1)>", ""),
        ("<iframe srcdoc='<script>alert(1)</script>'>", ""),
        ("<a href=javascript:alert(1)>x", "</a>"),
        ("javascript:alert(1)", "//"),
        ("<style>*{display:none}</style>", ""),
        ("{{constructor.constructor('alert(1)')()}}", ""),
        ("&lt;img src=x onerror=alert(1)&gt;", ""),
        ("<!--", "--><details open ontoggle=alert(1)>"),
    )
]
